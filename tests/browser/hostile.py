"""Names and texts that try to become code, in every language that they pass through."""

from __future__ import annotations

import random
from collections.abc import Sequence

CANARY = "kfnbCanary"
"""A property of ``window`` that each of them sets when it is executed."""

_SET = f"window.{CANARY}=1"
KNOWN: Sequence[str] = (
    f"<img src=x onerror={_SET}>",
    f"<script>{_SET}</script>",
    f"</script><script>{_SET}</script>",
    f"<svg onload={_SET}>",
    f"<svg><foreignObject><body onload={_SET}></foreignObject></svg>",
    f"<a href=javascript:{_SET}>click</a>",
    f"<iframe srcdoc='<script>parent.{CANARY}=1</script>'>",
    f'"><img src=x onerror={_SET}>',
    f'" onmouseover={_SET} x="',
    f"' onclick={_SET} x='",
    f"<style>@import 'http://example.com/{CANARY}';</style>",
    "<TABLE><TR><TD>html label</TD></TR></TABLE>",
    '"]; evil [label="injected"]; x [label="',
    f'" URL="javascript:{_SET}" tooltip="',
    "]]><!--",
    "&lt;b&gt; &amp; &#60;",
    "back\\slash\\N\\G\\E\\T\\l\\r",
    "${7*7} {{7*7}} `x` $(id)",
    "../../etc/passwd",
    "\u202eright to left\u202c and zero\u200bwidth",
    "combining a\u0301\u0323\u0308 and 👩‍👩‍👧‍👦",
    "n" * 300,
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "n0",
)
_PIECES = (
    *"<>\"'&\\;{}[]()/`=%#:|-",
    "img ",
    "script",
    "onerror=",
    "svg",
    "]]>",
    "-->",
    "é",
    "名",
    "🎲",
)


def names(count: int, seed: int) -> list[str]:
    """Draw ``count`` different names: pieces of hostile ones, shuffled."""
    source = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        pieces = [source.choice(_PIECES) for _ in range(source.randint(1, 12))]
        if source.random() < 0.5:
            pieces.insert(source.randrange(len(pieces)), source.choice(KNOWN))
        name = "".join(pieces).strip()
        if name:
            found[name] = None
    return list(found)
