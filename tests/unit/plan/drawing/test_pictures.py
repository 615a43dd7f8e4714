"""Pictures of plans: what they show, word for word where they are small."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.base import errors
from runner.plan.drawing import compose, lettering, mermaid, scene, svg
from runner.plan.drawing.picture import Box, Kind, Link, Mark, Picture, Tone
from runner.plan.drawing.scene import Direction
from runner.plan.knowledge import Knowledge
from tests.unit.plan import sample_plans

GOLDEN = Path(__file__).parents[3] / "golden" / "plans"
SMALL = """
- {name: quiesce, func: RunCommand, args: {command: [x]}, cleanup: {func: RunCommand, args: {command: [y]}}}
- {name: volume, func: SnapshotVolume, needs: [quiesce], args: {volume: v}}
- name: copy
  func: RunCommand
  needs: [quiesce]
  when: inputs.deep
  args: {command: ["{{ phases.volume.outputs.id }}"]}
"""
NAMESPACE = "{http://www.w3.org/2000/svg}"

Golden = Callable[[Path, str], None]


def small() -> Picture:
    """Return the picture of a plan with each kind of link but the order of the document."""
    return compose.picture(sample_plans.seen(SMALL, known=Knowledge(missing=("deep",))))


def fan(number: int) -> Picture:
    """Return the picture of many phases between two others."""
    middle = "".join(
        f"- {{name: m{index}, func: AssertThat, needs: [a], args: {{that: true}}}}\n" for index in range(number)
    )
    phases = f"- {{name: a, func: AssertThat, args: {{that: true}}}}\n{middle}"
    return compose.picture(sample_plans.seen(f"{phases}- {{name: z, func: AssertThat, args: {{that: true}}}}\n"))


def titled(title: str) -> Picture:
    """Return a picture of one box."""
    box = Box(id="a", title=title, subtitle=title, step=1, hint=title, facts=(title,))
    return Picture(title=title, subtitle=title, description=title, boxes=(box,), links=(), steps=("1",), notes=(title,))


def test_a_small_plan_as_svg(golden: Golden) -> None:
    golden(GOLDEN / "small.svg", svg.write(small()))


def test_a_small_plan_as_mermaid(golden: Golden) -> None:
    golden(GOLDEN / "small.mmd", mermaid.write(small()))


def test_a_plan_with_one_of_everything_as_svg_and_mermaid(golden: Golden) -> None:
    picture = compose.picture(sample_plans.full())
    golden(GOLDEN / "full.svg", svg.write(picture))
    golden(GOLDEN / "full.mmd", mermaid.write(picture))


def test_a_picture_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    root = ElementTree.fromstring(svg.write(small()))
    named = [root.find(f"{NAMESPACE}{tag}") for tag in ("title", "desc")]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == " ".join(each.get("id") or "" for each in named if each is not None)
    assert [each.text for each in named if each is not None] == [
        "sample › backup",
        "The plan of the action backup of the blueprint sample. quiesce (RunCommand): at once. "
        "volume (SnapshotVolume): after quiesce. copy (RunCommand): after quiesce and volume.",
    ]


def test_a_picture_has_no_scripts_and_needs_nothing_from_elsewhere() -> None:
    text = svg.write(compose.picture(sample_plans.full()))
    tags = {element.tag.removeprefix(NAMESPACE) for element in ElementTree.fromstring(text).iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "text", "g", "path"}
    assert text.count("http") == 1  # the name of the language
    assert "url(" not in text


def test_a_picture_has_a_dark_scheme_for_every_colour_of_the_light_one() -> None:
    style = ElementTree.fromstring(svg.write(small())).findtext(f"{NAMESPACE}style") or ""
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    assert light.count("#") == dark.count("#") > 30


def test_pointing_at_a_link_says_what_is_read() -> None:
    links = {link.kind: link.hint for link in small().links}
    assert links[Kind.DATA] == "copy reads outputs.id of volume"
    assert f"<title>{links[Kind.DATA]}</title>" in svg.write(small())


def test_badges_say_what_is_special() -> None:
    found = {box.id: [badge.text for badge in box.badges] for box in compose.picture(sample_plans.full()).boxes}
    assert found == {
        "quiesce": ["≤ 1m"],
        "snapshot": ["2 instances · 2 at once", "4 retries", "≤ 15m"],
        "resume": [],
        "count": ["may fail"],
        "export": ["for each item"],
        "check": ["if phases.count.ou…s.rows > 0"],
        "report": ["skipped", "if inputs.verbose"],
        "defer": [],
    }


def test_what_is_bound_to_fail_has_a_badge() -> None:
    phases = '- {name: a, func: RunCommand, args: {command: ["{{ inputs.x | fromJson }}"]}}'
    (box,) = compose.picture(sample_plans.seen(phases, known=Knowledge(inputs={"x": "{"}))).boxes
    assert [(badge.text, badge.tone) for badge in box.badges] == [("will fail", Tone.WRONG)]


def test_many_phases_side_by_side_stand_in_a_frame_with_one_link() -> None:
    found = scene.best(fan(28))
    assert [frame.caption for frame in found.frames] == ["28 phases side by side"]
    assert len(found.routes) == 2
    assert len(found.boxes) == 30
    assert found.width < 1200
    assert found.height < 1200


def test_a_few_phases_side_by_side_have_a_link_each() -> None:
    found = scene.best(fan(6))
    assert found.frames == ()
    assert len(found.routes) == 12


def test_a_short_chain_goes_to_the_right_and_a_long_one_down() -> None:
    def chain(number: int) -> Direction:
        phases = "".join(f"- {{name: p{index}, func: AssertThat, args: {{that: true}}}}\n" for index in range(number))
        return scene.best(compose.picture(sample_plans.seen(phases))).direction

    assert (chain(4), chain(9)) == (Direction.RIGHT, Direction.DOWN)


def test_a_plan_that_nobody_could_look_at_is_not_drawn() -> None:
    boxes = tuple(Box(id=str(index), title="", subtitle="", step=index + 1) for index in range(5001))
    links = tuple(Link(source=str(index), target=str(index + 1), kind=Kind.NEEDS) for index in range(5000))
    picture = Picture(title="", subtitle="", description="", boxes=boxes, links=links, steps=())
    with pytest.raises(errors.UsageError, match=r"too large to be drawn: 5,001 phases"):
        scene.best(picture)


@pytest.mark.parametrize("title", ["a & b < c > d \" ' ]]>", "\x00\x1b[31m\ud800", "数据库备份" * 30, "W" * 500, ""])
def test_odd_names_do_no_harm(title: str) -> None:
    picture = titled(title)
    assert ElementTree.fromstring(svg.write(picture).encode()).tag == f"{NAMESPACE}svg"
    assert len(mermaid.write(picture).splitlines()) == 5


def test_text_is_cut_where_it_is_wider_than_its_room() -> None:
    assert lettering.fitted("short", 12, 100) == "short"
    cut = lettering.fitted("a_very_long_name_of_a_phase", 12, 100)
    assert cut.endswith("…")
    assert lettering.width(cut, 12) <= 100


def test_a_state_is_a_sign_as_well_as_a_colour() -> None:
    from runner.plan.drawing import signs

    known = [*signs.LOOKS, "something new"]
    looks = [signs.look(status) for status in known]
    assert len({look.line for look in looks}) >= 8
    by_colour: dict[str, set[str]] = {}
    for status in ("succeeded", "failed", "tolerated", "skipped", "not_run", "pending", "running", "waiting"):
        by_colour.setdefault(signs.look(status).line, set()).add(status)
    assert all(len(statuses) == 1 for statuses in by_colour.values())
    assert Mark(status="something new").status not in signs.LOOKS
