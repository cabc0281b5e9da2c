# SPDX-License-Identifier: Apache-2.0
"""The board as lines of text, one for each change, for output that is no terminal. Pure."""

from collections.abc import Iterator

from station.cli.watch.known import Face, Known, face
from station.cli.watch.picture import line_words, to_do
from station.cli.watch.words import Words


class Sayings:
    """Remembers what was said of line and slots, and says what differs."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._line = ""
        self._slots: dict[str, str] = {}

    def new(self, known: Known, now: float) -> Iterator[str]:
        """Each new line. While nothing is known, nothing is said of the slots."""
        if not known.live(now) and known.reason(now) is None:
            return  # the first answer is still to come
        state, word, sentence = line_words(known, self._words, now)
        line = f"{word}. {sentence}" if sentence else word
        if line != self._line:
            self._line = line
            yield line
        if state == "unknown":
            return
        for name in known.slots:
            seen = face(known, name, now)
            told = _told(self._words, known, name, seen)
            between = seen.state == "running" and not known.slots[name].step  # one step is over, and the next to begin
            if told != self._slots.get(name) and not (between and self._slots.get(name, "").startswith(told)):
                self._slots[name] = told
                yield told


def _told(words: Words, known: Known, name: str, seen: Face) -> str:
    slot = known.slots[name]
    where = f"{words.one('slot')} {name}"
    if seen.taken:
        why = f" {seen.taken_fault}: {words.fault(seen.taken_fault)}" if seen.taken_fault else ""
        return f"{where} {words.word(seen.taken)}{why} ({words.one('taken')})"
    trial = f" ({words.one('trial')})" if seen.trial else ""
    if seen.state == "running":
        return f"{where} {words.word('running')}{trial}" + (f": {words.step(slot.step)}" if slot.step else "")
    why = f" {seen.fault}: {words.fault(seen.fault, slot.sentence)}" if seen.fault else ""
    act = f" {to_do(words, seen.act)}" if seen.fault else ""
    if seen.inside:
        act = f" → {words.inside(seen.inside)} {words.call(seen.act)}"
    return f"{where} {words.word(seen.state)}{trial}{why}{act}"
