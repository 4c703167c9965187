import random

from hypothesis import given, settings
from hypothesis import strategies as st

from aquascene.sources import duplicates

WORDS = [f"word{n}" for n in range(3000)]


def text(seed: int, count: int = 400) -> list[str]:
    return random.Random(seed).choices(WORDS, k=count)


def edited(words: list[str], share: float, seed: int) -> list[str]:
    chance = random.Random(seed)
    return [chance.choice(WORDS) if chance.random() < share else word for word in words]


def test_normalised_text_ignores_case_space_and_punctuation() -> None:
    assert duplicates.text_sha256("Moss,  grows\nwell.") == duplicates.text_sha256("moss grows WELL")
    assert duplicates.text_sha256("moss grows") != duplicates.text_sha256("moss groans")


def test_light_edits_stay_near_and_other_texts_do_not() -> None:
    for seed in range(30):
        words = text(seed)
        one, near, far = " ".join(words), " ".join(edited(words, 0.04, seed)), " ".join(text(seed + 1000))
        hashes = [duplicates.simhash(each) for each in (one, near, far)]
        assert all(each is not None for each in hashes)
        assert duplicates.is_near(one, near)
        assert not duplicates.is_near(one, far)
        assert duplicates.distance(hashes[0], hashes[2]) > duplicates.MAX_DISTANCE  # type: ignore[arg-type]


def test_short_texts_have_no_simhash() -> None:
    assert duplicates.simhash("too short to compare") is None


@settings(max_examples=50)
@given(st.text(max_size=2000))
def test_simhash_fits_a_bigint_and_is_steady(said: str) -> None:
    value = duplicates.simhash(said)
    assert value == duplicates.simhash(said)
    assert value is None or -(1 << 63) <= value < 1 << 63
