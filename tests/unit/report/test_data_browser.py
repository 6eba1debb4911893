"""The data page in headless Chromium: filters, links, marks, hard texts, twenty thousand rows."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dualtune.recipe import Tasks
from dualtune.records import Problem
from dualtune.report.data_collect import ShownProblem
from dualtune.report.data_pack import pack_problems
from dualtune.report.data_page import render_data_page
from dualtune.report.pack import embed
from dualtune.tasks.derive import derive

from .fake_run import HARD, NASTY, story, write_hard, write_run
from .looks import CONTRAST, TOO_WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DRAWN = "html[data-problems=drawn]"


def written(folder: Path) -> Path:
    page = folder / "data.html"
    page.write_bytes(render_data_page(folder).encode("utf-8", errors="replace"))
    return page


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(write_run(tmp_path_factory.mktemp("data"), stages=("build", "audit")))


@pytest.fixture(scope="module")
def hard_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(write_hard(tmp_path_factory.mktemp("hard")))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    yield page
    context.close()
    assert errors == []


def show(page: Page, file: Path, address: str = "") -> None:
    page.goto("about:blank")
    page.goto(file.as_uri() + address)
    page.wait_for_selector(DRAWN)


def shown(page: Page) -> str:
    return page.locator("#shown").inner_text()


def opened(page: Page) -> str:
    return page.locator("#name").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_fits_is_readable_and_fetches_nothing(
    browser: Browser, file: Path, hard_file: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    places = [
        (file, "#finding=wrong_equation"),
        *((hard_file, f"#problem={i}") for i in ("long", "rtl")),
    ]
    for source, address in places:
        show(page, source, address)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(TOO_WIDE, width) == []
        assert page.evaluate(CONTRAST) == []
    assert [
        url for url in requests if not url.startswith(("file:", "blob:", "data:", "about:"))
    ] == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == (scheme == "dark")
    context.close()


def test_every_control_has_a_name(page: Page, file: Path) -> None:
    show(page, file)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input, select, button, a')].filter((e) =>
            !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())
        ).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))


def test_next_and_previous_walk_through_the_problems(page: Page, file: Path) -> None:
    show(page, file)
    assert shown(page) == "Problem 1 of 300"
    assert opened(page) == "mawps-0000"
    assert page.locator("#previous").is_disabled()
    page.locator("#next").click()
    page.keyboard.press("ArrowRight")
    assert opened(page) == "mawps-0002"
    page.keyboard.press("ArrowLeft")
    assert shown(page) == "Problem 2 of 300"
    assert page.locator("#list [aria-current]").inner_text().startswith("mawps-0001")
    assert "problem=mawps-0001" in page.url


def test_the_list_has_pages(page: Page, file: Path) -> None:
    show(page, file)
    assert page.locator("#list li").count() == 25
    page.locator("#last").click()
    assert opened(page) == "mawps-0025"
    page.locator("#page").fill("12")
    page.locator("#page").press("Enter")
    assert opened(page) == "mawps-0275"
    assert page.locator("#last").is_disabled()
    page.locator("#list a").nth(3).focus()
    page.keyboard.press("Enter")
    assert opened(page) == "mawps-0278"
    # The list is drawn anew, and the keyboard stays where it was.
    focused = page.evaluate("document.activeElement.getAttribute('aria-current')")
    assert focused == "true"


def test_filter_by_finding(page: Page, file: Path) -> None:
    show(page, file)
    labels = page.locator("#finding option").all_inner_texts()
    assert [int(re.findall(r"\((\d+)\)$", text)[0]) for text in labels] == [300, 36, 264, 30, 12]
    page.locator("#finding").select_option("wrong_equation")
    assert shown(page) == "Problem 1 of 30 that match (300 in all)"
    page.locator("#next").click()
    assert opened(page) == "mawps-0010"
    mark = page.locator("#texts .side mark.finding").first
    assert "+" in mark.inner_text()
    assert "12 + 4 = 17, but 12 + 4 is 16" in page.locator(".found").inner_text()
    page.locator("#finding").select_option("none")
    assert opened(page) == "mawps-0001"
    assert page.locator("#pager").is_visible()


def test_filter_by_task_shows_an_instance_of_it(page: Page, file: Path) -> None:
    show(page, file)
    page.locator("#tasks label", has_text="Reconstruction").click()
    assert page.locator("#tabs input:checked").input_value() == "ir/0/0"
    question = page.locator(".side").first
    assert question.locator("mark.mask").count() == 1
    page.locator("#next").click()
    assert page.locator("#tabs input:checked").input_value() == "ir/0/0"
    page.locator("#tasks label", has_text="Step prediction").click()
    assert page.locator(".side").nth(1).locator("mark.mask").count() == 1
    assert "<MASK>" in page.locator(".given").inner_text()
    hidden = page.locator(".side mark.mask").inner_text()
    assert page.locator(".turn.target").inner_text().endswith(hidden)
    page.locator("#tabs label", has_text="Solve").click()
    assert page.locator(".side mark.mask").count() == 0


def test_search(page: Page, file: Path) -> None:
    show(page, file)
    page.locator("#find").fill("MAWPS-0123")
    page.get_by_text("Problem 1 of 1 that match").wait_for()
    assert opened(page) == "mawps-0123"
    assert not page.locator("#pager").is_visible()
    page.locator("#find").fill("no such words anywhere")
    page.get_by_text("No Problem matches").wait_for()
    assert not page.locator("#browser").is_visible()
    page.locator("#find").fill("")
    page.wait_for_function("document.querySelectorAll('#list li').length === 25")


def test_a_link_opens_its_problem_and_filters_give_way(page: Page, file: Path) -> None:
    show(page, file, "#problem=mawps-0210&finding=wrong_equation")
    assert opened(page) == "mawps-0210"
    assert shown(page) == "Problem 22 of 30 that match (300 in all)"
    page.evaluate("location.hash = '#problem=mawps-0211&finding=wrong_equation'")
    page.get_by_text("mawps-0211").first.wait_for()
    assert shown(page) == "Problem 212 of 300"
    page.evaluate("location.hash = '#problem=elsewhere'")
    page.get_by_text("This page holds no Problem elsewhere.").wait_for()
    page.evaluate("location.hash = '#finding=other&task=other&split=other'")
    # What the page does not know filters nothing; what was open stays open.
    page.get_by_text("Problem 212 of 300").wait_for()
    page.evaluate("location.hash = '#lengths'")
    assert opened(page) == "mawps-0211"


def test_an_address_can_be_copied_with_its_filters(page: Page, file: Path) -> None:
    show(page, file)
    page.locator("#finding").select_option("leak_near")
    page.locator("#next").click()
    page.locator("#tabs label", has_text="Reconstruction").click()
    address = page.url
    show(page, file, address.partition(".html")[2])
    assert opened(page) == "mawps-0025"
    assert page.locator("#finding").input_value() == "leak_near"
    assert page.locator("#tabs input:checked").input_value() == "ir/0/0"


def test_links_of_the_table_of_findings(page: Page, file: Path) -> None:
    show(page, file)
    page.locator("#findings tbody a", has_text="An equation does not hold").click()
    page.get_by_text("of 30 that match").wait_for()
    page.locator("#findings tbody a", has_text="mawps-0050").click()
    page.get_by_text("Problem 3 of 12 that match").wait_for()
    assert opened(page) == "mawps-0050"
    assert page.locator(".found li").count() == 2


def test_hard_texts_are_shown_as_they_are(page: Page, hard_file: Path) -> None:
    show(page, hard_file)
    for problem in HARD:
        assert opened(page) == problem.id
        sides = page.locator(".side .text")
        for name, place in (("question", 0), ("rationale", 1)):
            # Without the numbers of masks and findings, and the sign of a mask of nothing.
            found = sides.nth(place).evaluate(
                """(e) => {
                    const copy = e.cloneNode(true);
                    copy.querySelectorAll('sup, .gap').forEach((s) => s.remove());
                    return copy.textContent;
                }"""
            )
            for char, sign in (("\x00", "␀"), ("\x1b", "␛"), ("\x07", "␇"), ("\r", "␍")):
                found = found.replace(sign, char)
            found = re.sub(r"\[U\+(\w{4})]", lambda m: chr(int(m[1], 16)), found)
            assert found == getattr(problem, name)
        page.locator("#next").click(force=True)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main b >> text=bold").count() == 0


def test_marks_stand_where_the_offsets_say(page: Page, hard_file: Path) -> None:
    show(page, hard_file, "#problem=hard/1%20%26%20%3Cb%3E&task=irsp&instance=irsp/0/2")
    assert opened(page) == "hard/1 & <b>"
    assert page.locator(".side mark.gap").inner_text() == "nothing is missing here"
    assert page.locator("mark.s-error").inner_text() == "3 + 5 = 8 😀"
    assert page.locator("mark.s-note").inner_text() == "😀"
    evidence = page.locator(".evidence").first.evaluate("(e) => e.lastChild.data")
    assert evidence == f"step 2: {NASTY}"
    page.locator("#tabs label", has_text="Reconstruction 1").click()
    assert page.locator(".side sup.mask").all_inner_texts() == ["1", "2"]
    assert "<MASK_2>" in page.locator(".given").inner_text()
    assert "Be <b>brief</b>." in page.locator(".given").inner_text()


def test_options_programs_and_direction(page: Page, hard_file: Path) -> None:
    show(page, hard_file, "#problem=choice")
    assert page.locator(".options .right").inner_text() == "B 21the answer"
    show(page, hard_file, "#problem=program")
    assert page.locator(".side h4").all_inner_texts() == ["Question", "Program"]
    assert "\ttotal = bags * 12" in page.locator(".program").evaluate("(e) => e.textContent")
    show(page, hard_file, "#problem=rtl")
    direction = page.locator(".side .text").first.evaluate("(e) => getComputedStyle(e).direction")
    assert direction == "rtl"
    show(page, hard_file, "#finding=odd+%3C/script%3E+kind&problem=one-step")
    assert shown(page) == f"Problem 2 of 2 that match ({len(HARD)} in all)"


def test_a_browser_that_cannot_unpack_says_so(browser: Browser, file: Path) -> None:
    page = browser.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(file.as_uri())
    page.get_by_text("This browser cannot unpack the Problems").wait_for()
    page.close()


def enlarged(text: str, number: int) -> str:
    """Return a data page with so many Problems in it, a tenth of them with a finding."""
    stories = [Problem("x", *story(index)) for index in range(200)]
    packed = pack_problems(
        ShownProblem(one, "train", derive(one, Tasks(), seed=0).instances, ()) for one in stories
    )
    kind, severity = len(packed["strings"]), len(packed["strings"]) + 1
    packed["strings"] += ["wrong_equation", "error"]
    finding = [kind, severity, "1 + 1 = 3", 1, 0, 9, 0]
    packed["problems"] = [
        [f"many-{i}", *packed["problems"][i % 200][1:9], [finding] * (i % 10 == 0)]
        for i in range(number)
    ]
    head, tail = text.split('id="problems-gz">')
    return f'{head}id="problems-gz">{embed(packed)}{tail[tail.index("</script>") :]}'


def test_twenty_thousand_problems_stay_quick(page: Page, file: Path) -> None:
    large = file.with_name("large.html")
    large.write_text(enlarged(file.read_text(encoding="utf-8"), 20_000), encoding="utf-8")
    start = time.perf_counter()
    show(page, large)
    loaded = time.perf_counter() - start
    assert shown(page) == "Problem 1 of 20,000"
    acts: list[tuple[Callable[[], object], str]] = [
        (lambda: page.locator("#finding").select_option("wrong_equation"), "of 2,000 that match"),
        (lambda: page.locator("#finding").select_option(""), "of 20,000"),
        (lambda: page.locator("#find").fill("seashells"), "that match"),
        (lambda: page.locator("#next").click(), "Problem 2 of"),
        (lambda: page.evaluate("location.hash = '#problem=many-19999'"), "Problem 20,000 of"),
    ]
    times = []
    for act, said in acts:
        start = time.perf_counter()
        act()
        page.get_by_text(said).wait_for()
        times.append(time.perf_counter() - start)
    # Generous, as machines are busy.
    assert loaded < 10, loaded
    assert max(times) < 3, times
