"""Make a voice: vowels one after the other, as a throat and three resonances make them.

The resonances are those of the vowels of English (Peterson and Barney, 1952). A detector of voices
takes it for one, and a hum or a hiss not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]

RATE = 16_000
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480))
WIDTHS = (80, 100, 140)  # of the resonances, in Hz


def voice(seconds: float, seed: int = 0) -> Sound:
    """Speak so long."""
    chance = np.random.default_rng(seed)
    said: list[Sound] = []
    while sum(map(len, said)) < seconds * RATE:
        length = int(chance.uniform(0.12, 0.22) * RATE)
        pitch = np.linspace(chance.uniform(110, 150), chance.uniform(95, 130), length)
        said.append(_vowel(VOWELS[chance.integers(len(VOWELS))], pitch))
        said.append(hiss(0.04, chance, 0.03))  # between two syllables
    return np.concatenate(said)[: int(seconds * RATE)]


def hiss(seconds: float, chance: np.random.Generator, level: float = 0.003) -> Sound:
    """A quiet room."""
    return chance.normal(0, level, int(seconds * RATE))


def hum(seconds: float) -> Sound:
    """One loud tone."""
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)


def as_samples(sound: Sound) -> bytes:
    """Write it as 16-bit samples."""
    return (np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes()


def _vowel(formants: tuple[int, ...], pitch: Sound) -> Sound:
    phase = np.cumsum(pitch / RATE)
    pulses = (np.diff(np.floor(phase), prepend=0) > 0).astype(float)
    sound = np.diff(np.convolve(pulses, np.hanning(40), "same"), prepend=0)
    for formant, width in zip(formants, WIDTHS, strict=True):
        sound = _resonated(sound, formant, width)
    sound *= np.sqrt(np.sin(np.pi * np.arange(len(sound)) / len(sound)))
    louder: Sound = 0.5 * sound / np.abs(sound).max()
    return louder


def _resonated(sound: Sound, formant: int, width: int) -> Sound:
    """Filter by two poles at this frequency."""
    radius = np.exp(-np.pi * width / RATE)
    first, second = 2 * radius * np.cos(2 * np.pi * formant / RATE), -(radius**2)
    made, one, two = np.zeros_like(sound), 0.0, 0.0
    for index, value in enumerate(sound):
        made[index] = value + first * one + second * two
        one, two = made[index], one
    return made
