"""The page in headless Chromium: nothing fetched, nothing overflows, everything clicks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dualtune.report import write_report
from dualtune.report.render import asset

from .fake_eval import FORMULA, write_nine
from .fake_run import NASTY, write_run
from .looks import CONTRAST, TOO_WIDE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DRAWN = "html[data-charts=drawn]"
LISTED = "html[data-problems=drawn]"


def without_plotly(page: Path) -> Path:
    """Return the page without its plotting library: the list of rows alone, quick to open."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<script type="text/plain" id="plotly-gz">[^<]*</script>', "", text)
    path = page.with_name("list.html")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def list_page(full_page: Path) -> Path:
    return without_plotly(full_page)


@pytest.fixture(scope="module")
def nine_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_nine(
        tmp_path_factory.mktemp("nine"), rows=40, models=("base", "tuned", "other"), samples=3
    )
    return without_plotly(write_report(run))


@pytest.fixture
def page(browser: Browser, list_page: Path) -> Iterator[Page]:
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    show(page, list_page)
    yield page
    context.close()
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_draws_and_fits_and_fetches_nothing(
    browser: Browser, full_page: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    requests: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(full_page.as_uri())
    page.wait_for_selector(DRAWN)
    assert errors == []
    # Opened parts must fit as well.
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(TOO_WIDE, width) == []
    clipped = page.evaluate(
        """() => [...document.querySelectorAll('.plot')].flatMap((plot) => {
            const box = plot.getBoundingClientRect();
            return [...plot.querySelectorAll('text')].filter((t) => {
                const b = t.getBoundingClientRect();
                return b.width && (b.left < box.left - 1 || b.right > box.right + 1
                    || b.bottom > box.bottom + 1 || b.top < box.top - 1);
            }).map((t) => plot.id + ': ' + t.textContent);
        })"""
    )
    assert clipped == []
    assert page.locator(".plot .main-svg").count() >= 7
    page.wait_for_timeout(200)
    assert [url for url in requests if not url.startswith(("file:", "blob:", "data:"))] == []
    assert page.evaluate("window.hacked") is None
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) < 200) == (scheme == "dark")
    context.close()


def test_charts_follow_a_change_of_scheme(browser: Browser, full_page: Path) -> None:
    page = browser.new_page(color_scheme="light")
    page.goto(full_page.as_uri())
    page.wait_for_selector(DRAWN)
    colour = "document.querySelector('#loss-solve .xtick text').style.fill"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{colour} !== {light!r}")
    page.close()


def test_a_browser_that_cannot_unpack_says_so(browser: Browser, full_page: Path) -> None:
    page = browser.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(full_page.as_uri())
    page.locator("#loss-solve.failed").wait_for()
    assert "cannot draw the chart" in page.locator("#accuracy-chart").inner_text()
    assert "cannot unpack the test problems" in page.locator("#shown").inner_text()
    page.close()


def show(page: Page, file: Path, address: str = "") -> None:
    page.goto("about:blank")
    page.goto(file.as_uri() + address)
    page.wait_for_selector(LISTED)


def shown(page: Page) -> str:
    return page.locator("#shown").inner_text()


def opened(page: Page) -> str:
    return page.locator("#name").inner_text()


def counts(page: Page) -> list[int]:
    labels = page.locator("#outcomes label:visible").all_inner_texts()
    return [int(text.rsplit(" ", 1)[1].replace(",", "")) for text in labels]


def marks(page: Page) -> list[str]:
    return page.locator("#texts .answer > h4 .mark").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_kind_of_row_fits_and_is_readable(
    browser: Browser, nine_page: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    page = context.new_page()
    for row in ("math/math-5", "sat/sat-1", "gsm8k/gsm8k-7", "simuleq.pot/simuleq-5"):
        show(page, nine_page, f"#row={row}")
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(TOO_WIDE, width) == []
        assert page.evaluate(CONTRAST) == []
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input, select, button, a')].filter((e) =>
            !(e.labels?.length || e.getAttribute('aria-label') || e.textContent.trim())
        ).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    context.close()


def test_outcomes_part_the_rows_and_add_up(page: Page) -> None:
    every, *parts = counts(page)
    assert every == 1200 == sum(parts)
    assert page.locator("#list li").count() == 25
    page.get_by_text("Right only after tuning").click()
    assert shown(page) == f"Row 1 of {parts[1]} that match (1,200 in all)"
    assert marks(page)[0] != "✓ Right"
    assert marks(page)[1] == "✓ Right"
    page.locator("#benchmark").select_option("gsm8k")
    every, *parts = counts(page)
    assert every == 200 == sum(parts)
    assert f"of {parts[1]} that match" in shown(page)
    assert opened(page).startswith("GSM8K · ")


def test_statuses_of_either_model(page: Page) -> None:
    labels = page.locator("#status optgroup").evaluate_all("(all) => all.map((g) => g.label)")
    assert labels == ["Before tuning", "After tuning"]
    page.locator("#status").select_option("base:no_answer")
    for _ in range(3):
        assert marks(page)[0] == "✗ No answer"
        page.keyboard.press("ArrowRight")
    assert shown(page).startswith("Row 4 of ")


def test_parts_from_a_table_open_their_rows(browser: Browser, nine_page: Path) -> None:
    page = browser.new_page()
    show(page, nine_page)
    page.locator(".breakdown summary", has_text="Level").click()
    page.locator(".breakdown a", has_text="level 5").first.click()
    assert page.locator("#part").input_value() == "level:5"
    assert page.locator("#benchmark").input_value() == "math"
    assert shown(page) == "Row 1 of 8 that match (360 in all)"
    assert "level 5" in page.locator("#about").inner_text()
    page.close()


def test_paging_search_and_keys(page: Page) -> None:
    page.locator("#last").click()
    assert shown(page) == "Row 26 of 1,200"
    page.locator("#page").fill("48")
    page.locator("#page").press("Enter")
    assert shown(page) == "Row 1,176 of 1,200"
    assert page.locator("#last").is_disabled()
    page.locator("#find").fill("WINDOW.hacked")
    page.get_by_text("Row 1 of 2 that match").wait_for()
    assert page.locator("#texts .output").nth(1).inner_text().split() == NASTY.split()
    assert page.locator("main b >> text=bold").count() == 0
    assert page.evaluate("window.hacked") is None
    page.locator("#find").fill("no such words anywhere")
    page.get_by_text("No row matches").wait_for()
    assert not page.locator("#browser").is_visible()
    page.locator("#find").fill("")
    page.wait_for_function("document.querySelectorAll('#list li').length === 25")
    page.locator("#list a").first.focus()
    page.keyboard.press("ArrowRight")
    assert shown(page).startswith("Row 2 of")
    assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"


def test_a_link_opens_its_row_and_gives_way_to_filters(page: Page) -> None:
    page.get_by_text("Both right").click()
    page.evaluate("location.hash = '#row=gsm8k/gsm8k-150&show=both'")
    page.get_by_text("GSM8K · gsm8k-150").first.wait_for()
    assert shown(page) == "Row 1,151 of 1,200"
    assert page.locator("#list [aria-current] b").inner_text() == "GSM8K · gsm8k-150"
    page.locator("#next").click()
    assert page.url.endswith("#row=gsm8k/gsm8k-151")
    page.evaluate("location.hash = '#row=gsm8k/elsewhere'")
    page.get_by_text("This page holds no row gsm8k/elsewhere.").wait_for()
    page.evaluate("location.hash = '#accuracy'")
    assert opened(page) != ""


def test_a_link_works_on_opening_the_page(browser: Browser, list_page: Path) -> None:
    page = browser.new_page()
    show(page, list_page, "#row=svamp/svamp-777&find=boxes")
    assert opened(page) == "SVAMP · svamp-777"
    assert page.locator("#find").input_value() == "boxes"
    box = page.locator("#problems").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 300
    page.close()


def test_one_model_alone_can_be_browsed(browser: Browser, tmp_path: Path) -> None:
    report = write_report(write_run(tmp_path, stages=("build", "train", "tuned")))
    page = browser.new_page()
    show(page, report)
    labels = page.locator("#outcomes label:visible").all_inner_texts()
    assert [text.rsplit(" ", 1)[0] for text in labels] == ["All", "Right", "Wrong"]
    every, *parts = counts(page)
    assert every == 1200 == sum(parts)
    assert len(marks(page)) == 1
    page.close()


def test_two_of_three_models_are_chosen(browser: Browser, nine_page: Path) -> None:
    page = browser.new_page()
    show(page, nine_page, "#b=other&show=only_b")
    assert "Only other right" in page.locator("#outcomes").inner_text()
    for _ in range(3):
        first, _, third = marks(page)
        assert (first == "✓ Right", third) == (False, "✓ Right")
        page.keyboard.press("ArrowRight")
    assert page.url.endswith("&b=other&show=only_b") or "#b=other&show=only_b&row=" in page.url
    page.close()


def test_samples_programs_options_and_formulas(browser: Browser, nine_page: Path) -> None:
    page = browser.new_page()
    show(page, nine_page, "#row=gsm8k/gsm8k-7")
    box = page.locator("#texts .answer").first
    assert "of 3 samples right; the first:" in box.inner_text()
    assert box.locator("details").count() == 2
    box.locator("summary").first.click()
    assert box.locator("details").first.locator(".output").is_visible()
    show(page, nine_page, "#row=simuleq.pot/simuleq-4")
    assert "The program ran and gave 4" in page.locator(".ran").first.inner_text()
    code = page.locator(".output.program").first.evaluate("(e) => e.textContent")
    assert "    x += 1\nprint('$x^2$', x)" in code  # a program is no formula
    show(page, nine_page, "#row=simuleq.pot/simuleq-5")
    assert "The program failed: NameError: If x < 3" in page.locator(".ran").first.inner_text()
    show(page, nine_page, "#row=sat/sat-1")
    assert page.locator(".options li").all_inner_texts() == ["A 20", "B √21right answer", "C 24"]
    show(page, nine_page, "#row=math/math-9")
    read = page.locator(".question").inner_text()
    assert read.startswith("What is the value of (3x² - 1)/(√(x+1)) · 10¹² if x ≤ 3,")
    assert "b ≠ π" in read
    assert read.endswith("and lunch costs $5 or $6?")
    assert page.locator(".gold b").inner_text() == "3/4"
    assert page.locator(".output").first.inner_text() == "We find ⟦9/4⟧."
    page.locator("#written").check()
    assert page.locator(".question").inner_text() == FORMULA
    assert page.locator(".gold b").inner_text() == r"\frac{3}{4}"
    page.close()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"$\frac{1}{2}$", "1/2"),
        (r"$\frac12 + x_{10}^{n}$", "1/2 + x₁₀ⁿ"),
        (r"$\sqrt[3]{x^{a+b}}$", "³√(x^(a+b))"),
        (r"It costs $5 and then $10.", "It costs $5 and then $10."),
        (r"$\frac{(x-2)-(x+2)}{x(y)}$", "((x-2)-(x+2))/(x(y))"),
        (r"$3$ times $11n+3$, $5 for two or 5$", "3 times 11n+3, $5 for two or 5$"),
        ("So\\begin{align*}\na &= b^2 \\\\ c\n\\end{align*}", "So\na = b² \n c\n"),
        (r"It costs \$5, or 20\%.", "It costs $5, or 20%."),
        (r"\(90^\circ\) and \[x \ge 0\]", "90° and x ≥ 0"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "(1, 2; 3, 4)"),
        (r"$\unknown{x} \text{ if } y$", r"\unknownx  if  y"),
        (
            "[asy] draw((0,0)--(1,1)); $a_b$ [/asy] $a_1$",
            "[asy] draw((0,0)--(1,1)); $a_b$ [/asy] a₁",
        ),
        (r"$\frac{1}{", "$1/()"),
        ("a\\", "a\\"),
        ("no formula, snake_case^2", "no formula, snake_case^2"),
    ],
)
def test_formulas_as_text(formulas: Page, written: str, read: str) -> None:
    assert formulas.evaluate("(text) => latex.readable(text)", written) == read


@pytest.fixture(scope="module")
def formulas(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.add_script_tag(content=asset("latex.js"))
    yield page
    page.close()


def test_twenty_thousand_rows_stay_quick(page: Page, tmp_path: Path) -> None:
    start = time.perf_counter()
    report = without_plotly(write_report(write_nine(tmp_path, rows=2_223)))
    written = time.perf_counter() - start
    start = time.perf_counter()
    show(page, report)
    times = [time.perf_counter() - start]
    assert shown(page) == "Row 1 of 20,007"
    acts: list[tuple[Callable[[], object], str]] = [
        (lambda: page.get_by_text("Both wrong").click(), "that match (20,007 in all)"),
        (lambda: page.locator("#benchmark").select_option("math"), "Row 1 of 1,"),
        (lambda: page.locator("#find").fill("we FIND"), "that match"),
        (lambda: page.locator("#next").click(), "Row 2 of"),
        (lambda: page.evaluate("location.hash = '#row=mmlu_math/mmlu_math-2222'"), "Row 20,007 of"),
    ]
    for act, said in acts:
        start = time.perf_counter()
        act()
        page.get_by_text(said).wait_for()
        times.append(time.perf_counter() - start)
    # Generous, as machines are busy.
    assert max(times) < 6, (written, times)
    print(f"written {written:.1f} s; opened, filters, search, next, jump: "
          f"{', '.join(f'{t:.2f}' for t in times)} s")  # fmt: skip
