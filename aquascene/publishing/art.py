"""Cover art: layered hills and stems drawn from a hash, so that every article has its own picture and the same one always."""

import hashlib
from collections.abc import Iterator

WIDTH, HEIGHT = 800, 420
# Water above, then three layers of green from far to near; middle tones, so that they suit light and dark pages.
_PALETTES = (
    ("#cfe9e4", "#8fc9bf", "#5aa596", "#2f7f6f", "#1d5c52"),
    ("#d6e8ef", "#9cc6d3", "#68a5a8", "#3f8273", "#24594d"),
    ("#e6ecd8", "#b9d0a6", "#86af86", "#4f8a6b", "#2c6150"),
    ("#efe5d8", "#d3c2a3", "#9aae85", "#5d8a6c", "#315f52"),
    ("#dbe7f3", "#a9c5dd", "#76a7b3", "#468583", "#235a5a"),
)


def cover(seed: str) -> bytes:
    """Draw the picture of a seed as SVG without styles or scripts."""
    dice = _dice(seed)
    water, far, middle, near, stem = _PALETTES[next(dice) % len(_PALETTES)]
    light = 80 + next(dice) * 640 // 255
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{water}"/>',
        f'<circle cx="{light}" cy="{70 + next(dice) // 6}" r="{46 + next(dice) // 6}" fill="#ffffff" fill-opacity=".55"/>',
        _hill(dice, far, 190),
        _hill(dice, middle, 250),
        *(_stem(dice, stem) for _ in range(5 + next(dice) % 4)),
        _hill(dice, near, 320),
        *(_bubble(dice) for _ in range(6 + next(dice) % 5)),
    ]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} preserveAspectRatio="xMidYMid slice">{"".join(parts)}</svg>\n'.encode()


def _dice(seed: str) -> Iterator[int]:
    number = 0
    while True:
        yield from hashlib.sha256(f"{seed}/{number}".encode()).digest()
        number += 1


def _hill(dice: Iterator[int], colour: str, top: int) -> str:
    heights = [top - 50 + next(dice) * 110 // 255 for _ in range(5)]
    step = WIDTH // 4
    curves = [f"S{step * n - step // 3} {heights[n]} {step * n} {heights[n]}" for n in range(1, 5)]
    return f'<path d="M0 {heights[0]} {" ".join(curves)} V{HEIGHT} H0 Z" fill="{colour}"/>'


def _stem(dice: Iterator[int], colour: str) -> str:
    foot, lean, tall = 40 + next(dice) * 720 // 255, next(dice) % 60 - 30, 130 + next(dice) % 110
    tip = HEIGHT - 60 - tall
    leaves = "".join(_leaf(foot + lean * n // 6, HEIGHT - 60 - tall * n // 6, 34 - 3 * n, colour) for n in range(2, 7))
    line = f'fill="none" stroke="{colour}" stroke-width="4" stroke-linecap="round"'
    return f'<path d="M{foot} {HEIGHT - 40} Q{foot} {HEIGHT - tall // 2} {foot + lean} {tip}" {line}/>{leaves}'


def _leaf(x: int, y: int, size: int, colour: str) -> str:
    left = f"M{x} {y + 8} q{-size // 2} {-size // 2} {-size} {-size // 3} q{size // 3} {size // 2} {size} {size // 3} z"
    right = f"M{x} {y} q{size // 2} {-size // 2} {size} {-size // 3} q{-size // 3} {size // 2} {-size} {size // 3} z"
    return f'<path d="{left} {right}" fill="{colour}" fill-opacity=".85"/>'


def _bubble(dice: Iterator[int]) -> str:
    x, y, r = next(dice) * WIDTH // 255, 40 + next(dice) * 220 // 255, 3 + next(dice) % 8
    return f'<circle cx="{x}" cy="{y}" r="{r}" fill="#ffffff" fill-opacity=".5"/>'
