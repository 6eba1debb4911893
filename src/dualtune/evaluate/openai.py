"""The backend of any server that speaks OpenAI's protocol: vLLM's, llama.cpp's, a hosted one.

Payloads and answers are those of lm-evaluation-harness (``local-completions`` and
``local-chat-completions``). Its own loop groups requests by their settings, so that requests with a
seed each would go out one after the other, and it hands nothing on before all are done: requests
are sent, repeated and handed on here.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import requests
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI
from lm_eval.models.utils import postprocess_generated_text

from dualtune.errors import BadInput, DualtuneError
from dualtune.evaluate.generation import Output
from dualtune.evaluate.requests import Ask
from dualtune.recipe import Eval

log = logging.getLogger(__name__)

AT_ONCE = 16  # requests under way where the batch size is auto
MOST_STOPS = 4  # OpenAI's limit
LONGEST_PAUSE = 60.0  # seconds between two tries
# Too early, too many, and the server's own failures: worth another try. Other codes say that the
# request itself is wrong, and the next would be too.
_WORTH_REPEATING = {408, 409, 425, 429}


class _Completions(LocalCompletionsAPI):  # type: ignore[misc]
    """The harness's completions payloads, with a key from a variable of one's choice."""

    def __init__(self, *, key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._key = key

    @property
    def api_key(self) -> str:
        return self._key


class _Chat(LocalChatCompletion):  # type: ignore[misc]
    """The harness's chat payloads, with a key from a variable of one's choice."""

    def __init__(self, *, key: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._key = key

    @property
    def api_key(self) -> str:
        return self._key


class Backend:
    """Asks a server, several requests at once, each repeated where it fails in passing."""

    def __init__(self, model: str, tokenizer: Any, *, settings: Eval, stop: str | None) -> None:
        """Prepare; nothing is sent.

        Args:
            model: The model's name on the server.
            tokenizer: Turns rendered prompts into token ids, which every tokenisation of the
                server's own would only come near; None where the server applies its chat template.
            settings: The recipe's eval section.
            stop: End-of-turn text of the model.
        """
        self.settings = settings
        self.room: int | None = None
        self.on_ended: Callable[[int], None] | None = None
        self._tokenizer = tokenizer
        self._stop = stop
        self._at_once = AT_ONCE if settings.batch_size == "auto" else settings.batch_size
        self._closing = threading.Event()
        chat = settings.api == "chat"
        self._api = (_Chat if chat else _Completions)(
            key=_key(settings),
            model=model,
            base_url=endpoint(settings, "chat/completions" if chat else "completions"),
            tokenizer_backend=None,
            tokenized_requests=False,
            eos_string=stop,
            batch_size=1,
        )

    def length(self, prompt: str) -> int:
        """Return the tokens of a prompt; its characters where there is no tokenizer."""
        return len(prompt if self._tokenizer is None else self._ids(prompt))

    def close(self) -> None:
        """Do nothing: the server is not ours to stop."""

    def generate(self, asks: Sequence[Ask]) -> Iterator[list[Output]]:
        """Generate for all asks, so many at once.

        Yields:
            Outputs as their answers come.

        Raises:
            BadInput: If the server refuses a request.
            DualtuneError: If it fails again and again.
        """
        waiting = list(reversed(asks))
        under_way: set[Future[Output]] = set()
        self._closing.clear()
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="ask") as pool:
            try:
                while waiting or under_way:
                    while waiting and len(under_way) < self._at_once:
                        under_way.add(pool.submit(self.ask, waiting.pop()))
                    done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                    outputs = [future.result() for future in done if future.exception() is None]
                    if outputs:
                        if self.on_ended is not None:
                            self.on_ended(len(outputs))
                        yield outputs
                    for future in done:
                        future.result()  # raises what went wrong, after what went well is kept
            finally:
                self._closing.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def ask(self, ask: Ask) -> Output:
        """Send one request, and again where it fails in passing.

        Raises:
            BadInput: If the server refuses it.
            DualtuneError: If it fails more often than ``eval.retries`` allows.
        """
        for attempt in range(self.settings.retries + 1):
            try:
                return self._parse(ask, self._post(ask))
            except _PassingError as error:
                if attempt == self.settings.retries or self._closing.is_set():
                    raise DualtuneError(
                        f"{self._api.base_url}: {error} ({attempt + 1} tries, row "
                        f"{ask.request.row.id}). Answers so far are kept: the same command goes "
                        "on. Is the server up, and eval.timeout long enough?"
                    ) from error
                pause = error.after or min(2.0**attempt, LONGEST_PAUSE) * random.uniform(0.5, 1)
                log.info("%s; trying again in %.1f s", error, pause)
                self._closing.wait(min(pause, LONGEST_PAUSE))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _post(self, ask: Ask) -> Any:
        try:
            response = requests.post(
                self._api.base_url,
                json=self._payload(ask),
                headers=self._api.header,
                timeout=self.settings.timeout,
            )
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _PassingError(f"no answer from the server: {error}") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise _PassingError(f"the answer was cut off: {error}") from error
        except (requests.RequestException, UnicodeError) as error:  # as for an address or a key
            raise BadInput(
                f"eval.base_url: {self._api.base_url} cannot be asked ({error}). Check the address "
                f"and the key in {self.settings.key_variable}."
            ) from error
        if response.ok:
            try:
                return response.json()
            except requests.JSONDecodeError as error:
                raise _PassingError(f"the answer is no JSON: {response.text[:80]!r}") from error
        told = f"the server answers {response.status_code}: {response.text[:300].strip()}"
        if response.status_code in _WORTH_REPEATING or response.status_code >= 500:
            raise _PassingError(told, after=_retry_after(response))
        raise BadInput(f"{self._api.base_url}: {told}\n{_remedy(response.status_code)}")

    def _payload(self, ask: Ask) -> dict[str, Any]:
        request = ask.request
        prompt: Any
        if self._tokenizer is None:
            prompt = json.loads(request.prompt)
        else:
            prompt = self._ids(request.prompt)
        settings: dict[str, Any] = {
            "until": [text for text in request.until if text != self._stop],
            "max_gen_toks": self.settings.max_new_tokens,
            "temperature": self.settings.temperature,
        }
        if ask.seed is not None:
            settings |= {"top_p": self.settings.top_p, "seed": ask.seed}
        payload: dict[str, Any] = self._api._create_payload(
            prompt, generate=True, gen_kwargs=settings, eos=self._stop
        )
        payload["stop"] = [text for text in payload["stop"] if text][-MOST_STOPS:]
        return payload

    def _parse(self, ask: Ask, answer: Any) -> Output:
        try:
            choice = answer["choices"][0]
            text = self._api.parse_generations(answer)[0]
        except (KeyError, IndexError, TypeError) as error:
            raise _PassingError(
                f"the answer holds no output: {json.dumps(answer)[:200]}"
            ) from error
        text = postprocess_generated_text(
            text or "", stop=list(ask.request.until), think_end_token=None
        )
        return Output(ask, text, truncated=choice.get("finish_reason") == "length")

    def _ids(self, prompt: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(prompt, add_special_tokens=False)
        return ids


class _PassingError(Exception):
    """A failure that may be gone at the next try."""

    def __init__(self, told: str, *, after: float | None = None) -> None:
        super().__init__(told)
        self.after = after


def served_model(settings: Eval) -> str:
    """Return the name of the model on the server.

    Raises:
        BadInput: If the recipe names none and the server serves none or several, or the server
            cannot be asked.
    """
    if settings.server_model:
        return settings.server_model
    url = endpoint(settings, "models")
    try:
        response = requests.get(
            url, headers={"Authorization": f"Bearer {_key(settings)}"}, timeout=settings.timeout
        )
        response.raise_for_status()
        names = [str(model["id"]) for model in response.json()["data"]]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"eval.base_url: {url} does not list its models ({error}). Start the server, check "
            "the address, or name the model: eval.server_model."
        ) from error
    if len(names) != 1:
        raise BadInput(
            f"eval.server_model: {url} lists {len(names)} models ({', '.join(names)[:300]}): "
            "say which."
        )
    return names[0]


def endpoint(settings: Eval, path: str) -> str:
    """Return the address of a part of the server's protocol."""
    base = (settings.base_url or "").rstrip("/")
    for ending in ("/chat/completions", "/completions"):
        base = base.removesuffix(ending)
    return f"{base}/{path}"


def render_messages(messages: Sequence[Any]) -> str:
    """Return the text that stands for a prompt which the server renders: its messages as JSON."""
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return json.dumps(turns, ensure_ascii=False)


def _key(settings: Eval) -> str:
    # Servers without keys take any; an empty header is refused by some.
    return os.environ.get(settings.key_variable) or "none"


def _retry_after(response: requests.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):  # absent, or a date
        return None


def _remedy(status: int) -> str:
    if status in (401, 403):
        return "Put the key into the environment variable that eval.key_variable names."
    if status == 404:
        return "Check eval.base_url, which mostly ends in /v1, and eval.server_model."
    return (
        "Check eval.server_model, eval.api, and that prompt and eval.max_new_tokens fit the "
        "model's context."
    )
