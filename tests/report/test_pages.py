"""Pages stand alone, are well formed, hold every number, and let no text through as markup."""

from __future__ import annotations

import base64
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from plan.tiny import ESTIMAND, HEAD, PLAN, PRIMARY, write_plan

import trialkit as tk
from trialkit.plan import PlanRun, load_plan, run_plan
from trialkit.report.cells import further, readable
from trialkit.report.html import Group, element, table
from trialkit.report.plan_page import plan_figures, plan_page
from trialkit.report.reproduction_page import reproduction_page

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """The tags of a page, balanced or it fails, with the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> PlanRun:
    return run_plan(load_plan(write_plan(tmp_path_factory.mktemp("plan"))))


@pytest.fixture(scope="module")
def html(run: PlanRun) -> str:
    return plan_page(run, plan_figures(run))


def check_accessible(page: Page) -> None:
    """What a screen reader needs: language, one title, captions, scopes, alternatives."""
    assert page.all("html")[0]["lang"] == "en"
    names = [tag for tag, _ in page.tags]
    assert names.count("h1") == names.count("main") == names.count("title") == 1
    assert names.count("caption") == names.count("table") > 0
    assert all(attributes["scope"] for attributes in page.all("th"))
    assert all(attributes["alt"] for attributes in page.all("img"))
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    targets = [str(attributes["href"]) for attributes in page.all("a")]
    assert {target.removeprefix("#") for target in targets} <= set(identifiers)


def check_alone(html: str) -> None:
    """Nothing is fetched: no address but those of XML names inside drawings, no script."""
    assert "http" not in html.replace("http-equiv", "")
    assert "<script" not in html
    assert "default-src 'none'" in html
    sources = re.findall(r'src="([^"]{0,30})', html)
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)


def test_the_report_is_whole_accessible_and_alone(html: str) -> None:
    check_accessible(Page(html))
    check_alone(html)


def test_the_report_holds_every_analysis_with_its_estimand_and_numbers(
    html: str, run: PlanRun
) -> None:
    page = Page(html)
    text = " | ".join(page.texts)
    for result in run.analyses:
        assert result.name in page.texts
        for found in result.tables.values():
            for row in readable(found).rows:
                assert all(cell in page.texts for cell in row if cell)
            assert found.frame()["method"].iloc[0] in text
    assert page.texts.count("withdrawal: treatment-policy") == 4
    assert "half away from zero" in text
    assert run.plan.sha256 in text
    assert run.sources[0].sha256 in text
    assert str(run.plan.folder) not in html


def test_bytes_of_a_report_depend_on_the_run_alone(
    html: str, run: PlanRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(mpl.rcParams)
    figures = plan_figures(run)
    assert dict(mpl.rcParams) == before
    assert plan_page(run, figures) == html
    monkeypatch.setitem(mpl.rcParams, "font.size", 20.0)
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")
    assert plan_figures(run) == figures


def test_figures_are_drawings_without_a_date(run: PlanRun) -> None:
    figures = plan_figures(run)
    assert list(figures)[:2] == ["figure-01-primary.svg", "figure-02-d-pooled-sd.svg"]
    for content in figures.values():
        assert ElementTree.fromstring(content).tag.endswith("svg")
        assert b"dc:date" not in content
        assert b"<script" not in content


def test_the_page_carries_the_figures_themselves(html: str, run: PlanRun) -> None:
    for content in plan_figures(run).values():
        assert base64.b64encode(content).decode() in html


def test_hostile_text_is_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>&\\\"'"
    text = PLAN.replace('"A tiny trial"', f'"{evil}"').replace('"LDN against placebo"', f'"{evil}"')
    path = write_plan(tmp_path, text.replace("LDN 6 mg", "<img src=x>"))
    data = (tmp_path / "adqs.csv").read_text().replace("LDN 6 mg", "<img src=x onerror=y>")
    (tmp_path / "adqs.csv").write_text(data)
    run = run_plan(load_plan(path))
    html = plan_page(run, plan_figures(run))
    assert "<script" not in html
    assert "<img src=x" not in html
    page = Page(html)
    assert "<script>alert(1)</script>&\"'" in page.texts
    assert "<img src=x onerror=y> - Placebo" in page.texts


def test_a_failed_analysis_is_shown_as_failed(tmp_path: Path) -> None:
    failing = PRIMARY.replace('"ttest"', '"ttest"\noutcome = "SEX"') + ESTIMAND
    head = HEAD.replace("seed = 7", "keep_going = true")
    run = run_plan(load_plan(write_plan(tmp_path, head + failing)))
    assert run.failed
    assert plan_figures(run) == {}
    page = Page(plan_page(run, {}))
    assert "1 of 1 analyses failed: primary." in page.texts
    assert any(text.startswith("No result. DataError: ") for text in page.texts)


def test_a_table_for_reading_shares_decimals_and_keeps_the_interval_together(
    run: PlanRun,
) -> None:
    found = readable(run.table("ANCOVA"))
    assert found.headings[:4] == ("Contrast", "Estimate", "95% CI", "SE")
    assert found.n_keys == 1
    row = dict(zip(found.headings, found.rows[0], strict=True))
    estimate = run.table("ANCOVA").frame().iloc[0]
    low, high = row["95% CI"].split(" to ")
    assert float(low) == pytest.approx(estimate["ci_low"], abs=0.005)
    assert float(high) == pytest.approx(estimate["ci_high"], abs=0.005)
    assert "Status" not in found.headings
    extras = further(run.table("primary"))
    assert extras is not None
    assert "mean arm" in extras.headings
    assert "Estimate" not in extras.headings


def test_summary_statistics_are_one_table(run: PlanRun) -> None:
    from plan.tiny import tiny_data

    summary = tk.summarize(tiny_data(), outcome="CHG", arm="TRT01P", by="AVISIT")
    assert further(summary) is None
    assert {"mean", "sd", "median"} <= set(readable(summary).headings)


def test_a_row_without_a_value_says_why() -> None:
    table_ = tk.EstimateTable(
        estimates=(tk.Estimate.undefined(label="a", status="not estimable", n=3, method="m"),),
        keys={"contrast": ("a",)},
    )
    found = readable(table_)
    assert found.rows[0][found.headings.index("Status")] == "not estimable"


@pytest.mark.parametrize(
    ("df", "text"), [(96.00000000000054, "96"), (math.inf, "\N{INFINITY}"), (90.29, "90.3")]
)
def test_df_that_come_out_whole_read_whole(df: float, text: str) -> None:
    row = tk.Estimate.from_t(label="a", estimate=1.0, se=0.5, df=df, n=99, method="m")
    found = readable(tk.EstimateTable(estimates=(row,), keys={"contrast": ("a",)}))
    assert found.rows[0][found.headings.index("df")] == text


def test_groups_span_the_table() -> None:
    drawn = table(
        caption="c",
        headings=("A", "B"),
        groups=[Group(name="<g>", rows=[("1", "2")], classes=["bad"])],
        is_number=(False, True),
    )
    assert '<th scope="rowgroup" colspan="2" class="group">&lt;g&gt;</th>' in drawn
    assert '<tr class="bad"><th scope="row">1</th>' in drawn
    assert '<td class="number">2</td>' in drawn
    assert element("p", "<&>") == "<p>&lt;&amp;&gt;</p>"


def test_the_reproduction_page_holds_every_figure_with_its_verdict() -> None:
    found = tk.studies.reproduce("irwin2024")
    html = reproduction_page([found])
    page = Page(html)
    check_accessible(page)
    check_alone(html)
    for record in found.frame().to_dict("records"):
        assert any(text.startswith(record["statistic"]) for text in page.texts)
        published = record["published"]
        assert not published or any(text.rstrip("*") == published for text in page.texts)
        if record["note"]:
            assert record["note"] in page.texts
    assert "0.0195 to 0.0234" in page.texts
    assert len(page.all("img")) == 2  # the estimates with intervals, and every figure
    assert reproduction_page([found]) == html
