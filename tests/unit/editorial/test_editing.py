from aquascene.editorial.editing import Sentence, split

BODY = """Opening words. [[1]][source-1]

## Water

- Test twice a week. [[2]][source-2]
- Hold a cup, then \\*wait\\*.

One of ours. Cited one. [[1]][source-1] Cited two. [[2]][source-2] And ours again.

> a quote of nobody's

## Sources

1. [Title](<https://a.example>), read on 2026-11-20.

[source-1]: <https://a.example>
[source-2]: <https://b.example>
"""


def test_a_body_is_split_into_sentences_with_their_citations() -> None:
    assert list(split(BODY)) == [
        Sentence("Opening words.", "lead", "source-1"),
        Sentence("Test twice a week.", "Water", "source-2"),
        Sentence("Hold a cup, then *wait*.", "Water", None),
        Sentence("One of ours.", "Water", None),
        Sentence("Cited one.", "Water", "source-1"),
        Sentence("Cited two.", "Water", "source-2"),
        Sentence("And ours again.", "Water", None),
    ]
