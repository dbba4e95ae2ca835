"""Constants are worked out within bounds, whatever a notebook writes."""

from __future__ import annotations

import pytest

from tests.notebook.build import pipeline

HUGE = {
    "a long range": "for i in range(10**20):\n    open(f'a{i}.txt', 'w')",
    "a long range of names": "n = 10**20\nfor i in range(n):\n    open(f'a{i}.txt', 'w')",
    "an endless range": "for i in range(0, 10**30, 7):\n    open(f'a{i}.txt', 'w')",
    "a power": "x = 9**9**9**9\nopen(str(x), 'w')",
    "a product": "\n".join(["x = 10000000"] + ["x = x * x"] * 40 + ["open(str(x), 'w')"]),
    "a shift": "x = 1 << 10**9\nopen(str(x), 'w')",
    "a long text": "x = 'x' * 10**9\nopen(x, 'w')",
    "a text that doubles": "\n".join(["x = 'xxxx'"] + ["x = x + x"] * 60 + ["open(x, 'w')"]),
    "a list that doubles": "\n".join(["x = [1]"] + ["x = x + x"] * 60 + ["open(str(x), 'w')"]),
    "a list of lists": "\n".join(["x = [1]"] + ["x = [x, x]"] * 60 + ["open(str(x), 'w')"]),
    "a width": "open('%1000000000d' % 1, 'w')\nopen('{:>1000000000}'.format(1), 'w')",
    "zfill": "open('1'.zfill(10**9), 'w')",
    "replace": "\n".join(["x = 'aaaa'"] + ["x = x.replace('a', x)"] * 20 + ["open(x, 'w')"]),
    "a comprehension": "y = [open(f'{a}{b}{c}{d}') for a in range(60) for b in range(60) "
    "for c in range(60) for d in range(60)]",
    "loops in loops": "\n".join(
        [f"{'  ' * n}for a{n} in range(60):" for n in range(8)] + [" " * 16 + "open(f'{a1}', 'w')"]
    ),
    "enumerate": "for i, c in enumerate('x' * 10**9):\n    open(f'{i}', 'w')",
}


@pytest.mark.parametrize("source", HUGE.values(), ids=HUGE)
def test_no_value_is_computed_without_a_bound(source: str) -> None:
    read = pipeline(("step:a", source), ("step:b", "open('known.txt', 'w')"))
    assert [use.path for use in read.steps["b"].writes] == ["known.txt"]
    assert not read.errors


def test_moderate_values_are_known() -> None:
    source = "n = 2 * 3\nfor i in range(n):\n    open(f'a{i}.txt'.zfill(8), 'w')"
    read = pipeline(("step:a", source))
    assert [use.path for use in read.steps["a"].writes] == [f"00a{n}.txt" for n in range(6)]
