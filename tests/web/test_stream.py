# SPDX-License-Identifier: Apache-2.0
"""The bytes of the stream, and which events a listener that comes again has missed."""

import pytest

from station.web.stream import KEPT, Kept, framed


def test_an_event_is_a_name_a_number_and_one_line_of_json() -> None:
    assert framed("slot", {"say": "a\nb"}, "boot-7") == b'id: boot-7\nevent: slot\ndata: {"say":"a\\nb"}\n\n'
    assert framed("beat", {}) == b"event: beat\ndata: {}\n\n"


def test_a_listener_gets_what_followed_the_event_it_knows() -> None:
    kept = Kept("boot")
    first, second = kept.add("slot", {"slot": "1"}), kept.add("slot", {"slot": "2"})
    assert kept.after("boot-0") == [first, second]
    assert kept.after("boot-1") == [second]
    assert kept.after("boot-2") == []
    assert kept.id == "boot-2"


@pytest.mark.parametrize(
    "known", [None, "", "boot", "other-1", "boot-3", "boot--1", "boot-x", "boot-²", "boot-" + "9" * 5000]
)
def test_an_event_that_this_boot_never_sent_is_no_place_to_go_on_from(known: str | None) -> None:
    kept = Kept("boot")
    kept.add("slot", {})
    kept.add("slot", {})
    assert kept.after(known) is None


def test_what_is_no_longer_kept_cannot_be_sent_again() -> None:
    kept = Kept("boot")
    frames = [kept.add("slot", {"n": n}) for n in range(KEPT + 2)]
    assert kept.after("boot-1") is None
    assert kept.after("boot-2") == frames[2:]
