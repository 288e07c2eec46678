"""The plan as Markdown and as a picture: what is in it, and that nothing in it becomes markup."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_truedy.campaigns.plan_markdown import code, plan_markdown
from airflow_truedy.campaigns.plan_svg import plan_svg
from airflow_truedy.campaigns.preview import Rate, planned, preview
from tests.support.manifests import counts_of
from tests.support.plans import MONDAY, plan_of

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script> | ![x](http://evil.example/a.png) `x` [y](javascript:z)\n| a | b |\n```\n# big"


def plan(people: int = 400, name: str = "Renewals", split: str = "east", **how: Any) -> dict[str, Any]:
    east = plan_of(people, name=name, max_calls_per_day=150, chunk_size=1_000)
    west = plan_of(30, name=name, timezone="America/Los_Angeles", scheduled_at="2026-06-03T09:30")
    reasons = {"rejected_by_reason": {"empty": 3}, "rejected": 3, "suppressed": 2}
    assert east.contacts
    assert west.contacts
    east.contacts.manifest, west.contacts.manifest = counts_of(people, split, **reasons), counts_of(30, "west")
    return preview([planned(east, MONDAY), planned(west, MONDAY)], MONDAY, **how)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


class TestMarkdown:
    def test_it_tells_everything(self) -> None:
        text = plan_markdown(
            plan(previous=[counts_of(1_000)], rate=Rate(Decimal("0.1"), "call")), "truedy/plan.svg", "truedy/run"
        )
        assert "| People | 430 in 2 batch calls |" in text
        assert "- ⚠ **The list shrank by 57 %: 1,000 people in the earlier list, 430 in this one.**" in text
        assert "| First call | Tue 2026-06-02 10:00 EDT in `America/New_York` (2026-06-02T14:00:00Z) |" in text
        assert "| Cost | 43.00 USD expected, 129.00 with all tries; 0.1 USD a call |" in text
        assert "| refused: the cell of the number is empty | 3 |" in text
        assert "| left out: the number is on a do-not-call list | 2 |" in text
        assert "![calls per day and hour](truedy/plan.svg)" in text
        assert "in full](truedy/run)" in text
        (row,) = [line for line in text.splitlines() if line.startswith("| `west`")]
        assert "Wed 2026-06-03 09:30 PDT (2026-06-03T16:30:00Z)" in row
        bars = text.split("```text\n")[1].split("\n```")[0].splitlines()
        assert [line.split()[-1] for line in bars[1:]] == ["150", "180", "100"]
        assert bars[2].count("█") == 40

    def test_every_row_of_a_table_has_its_columns(self) -> None:
        for text in (plan_markdown(plan()), plan_markdown(plan(name=HOSTILE, split=HOSTILE))):
            tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
            assert len(tables) == 3
            for table in tables:
                assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1

    def test_a_hostile_name_stays_text(self) -> None:
        text = plan_markdown(plan(name=HOSTILE, split=HOSTILE))
        # Code spans are left out, as Markdown would not look into them.
        outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text.replace("```text", "").replace("```", ""))
        assert "evil.example" in text
        assert "evil.example" not in outside
        assert "<script" not in outside

    @pytest.mark.parametrize("value", ["a`b", "`", "``a```b", "a|b", "x\ny", ""])
    def test_code_cannot_be_left(self, value: str) -> None:
        text = code(value)
        runs = re.findall("`+", text)
        assert not text or (runs[0] == runs[-1] and runs.count(runs[0]) == 2)
        assert "\n" not in text


class TestPicture:
    def test_each_batch_call_has_a_row_and_each_hour_its_number(self) -> None:
        shown = texts(plan_svg(plan()))
        assert "Plan of Renewals: 430 people" in shown
        assert {"east", "west", "400 people, America/New_York", "30 people, America/Los_Angeles"} <= set(shown)
        assert {"Tue 2026-06-02", "Wed 2026-06-03", "Thu 2026-06-04"} <= set(shown)
        # 150 an hour from ten on, 150 from nine on, 100 from nine on; 30 from half past nine.
        assert shown.count("150") == 2
        assert shown.count("100") == 1
        assert shown.count("30") == 1
        assert not any("Not shown" in text for text in shown)

    def test_hours_of_the_window_in_which_nobody_is_called_are_there_too(self) -> None:
        shown = texts(plan_svg(plan()))
        hours = [text for text in shown if re.fullmatch("[0-9]{2}h", text)]
        # 09:00-17:30 on three days.
        assert hours == [f"{hour:02}h" for hour in range(9, 18)] * 3

    def test_what_has_no_room_is_told(self) -> None:
        (note,) = [text for text in texts(plan_svg(plan(people=1_500))) if "Not shown" in text]
        # Seven days are shown, 150 calls on each.
        assert "Not shown: 450 calls" in note

    def test_it_is_for_light_and_dark_and_runs_nothing(self) -> None:
        svg = plan_svg(plan())
        assert "prefers-color-scheme:dark" in svg
        assert 'role="img"' in svg
        tags = {each.tag.removeprefix(SVG) for each in ElementTree.fromstring(svg).iter()}
        assert tags == {"svg", "title", "desc", "style", "rect", "line", "text"}
        assert "href" not in svg
        # A page's policy may forbid styles: what is light is told by attributes, too.
        boxes = ElementTree.fromstring(svg).findall(f"{SVG}rect")
        assert all(each.get("fill") for each in boxes)

    def test_a_hostile_name_stays_text(self) -> None:
        svg = plan_svg(plan(name=HOSTILE, split='" onload="x'))
        assert any("<script>alert(1)</script>" in text for text in texts(svg))
        assert '" onload="x' in texts(svg)
        attributes = {name for each in ElementTree.fromstring(svg).iter() for name in each.attrib}
        assert "onload" not in attributes

    def test_nobody_to_call_yet_is_a_picture_too(self) -> None:
        folder = preview([planned(plan_of(None, contact_folder_id="f"), MONDAY)], MONDAY)
        assert "an unknown number of people" in plan_svg(folder)
        assert "unknown" in plan_markdown(folder)


@pytest.mark.parametrize(
    "value", [{}, {"kind": "truedy.contacts", "version": 1}, {"kind": "truedy.plan", "version": 9}]
)
def test_what_is_no_plan_is_not_shown(value: dict[str, Any]) -> None:
    for write in (plan_svg, plan_markdown):
        with pytest.raises(ValueError, match="not the plan"):
            write(value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(field=st.sampled_from(sorted(plan())), value=ANYTHING, of_part=st.sampled_from(sorted(plan()["parts"][0])))
def test_whatever_stands_in_xcom_is_shown_as_text_or_not_at_all(field: str, value: Any, of_part: str) -> None:
    if field in ("kind", "version"):
        return
    for changed in ({**plan(), field: value}, {**plan(), "parts": [{**plan()["parts"][0], of_part: value}]}):
        tags = {each.tag.removeprefix(SVG) for each in ElementTree.fromstring(plan_svg(changed)).iter()}
        assert tags <= {"svg", "title", "desc", "style", "rect", "line", "text"}
        plan_markdown(changed).encode()
