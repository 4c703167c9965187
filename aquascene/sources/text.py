"""Plain text as it leaves this stage: no invisible characters, no headline twice, no promotion; and what a reviewer must be told of."""

import re
import unicodedata

# Zero-width and bidirectional controls, soft hyphen, tag characters: invisible, so only of use to hide something.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
# Lone surrogates come from JSON escapes; they and NUL cannot be stored.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n{2,}")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
_LETTERS = re.compile(r"\w+")

_PROMO = re.compile(
    r"^\W*(?:"
    r"(?:\d+ )?comments?(?: \(?\d+\)?)?|leave a (?:comment|reply)|add a comment|"
    r"(?:read|see|learn|find out) more\b.{0,80}|read (?:also|next|full story)\b.{0,80}|see also\b.{0,80}|also read\b.{0,80}|"
    r"related(?: (?:articles?|posts?|stories|content|topics|reading|coverage))?:?.{0,40}|"
    r"you (?:may|might) (?:also )?(?:like|enjoy).{0,40}|recommended(?: for you)?|more from .{1,40}|"
    r"(?:subscribe|sign up)\b.{0,100}|share(?: (?:this|on|via|with)\b.{0,40})?|follow (?:us|me)\b.{0,60}|like us on .{1,40}|"
    r"advertisements?|sponsored(?: content)?|story continues below(?: advertisement)?|continue reading.{0,60}|skip (?:to|past) .{1,40}|"
    r"click here\b.{0,60}|tap here\b.{0,60}|print(?: this)?(?: article)?|back to top|loading\W*|photos?|image source|top stories|trending(?: now)?|"
    r"all rights reserved\b.{0,80}|(?:copyright|©)\W.{0,100}"
    r")\W*$",
    re.IGNORECASE,
)

_INSTRUCTIONS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|guidelines|directions|(?:said|told|written) (?:above|before))"
    r"|\b(?:ignore|disregard|forget) (?:everything|all|anything) (?:above|before|previous|prior|you)"
    r"|\b(?:system|developer) (?:prompt|message)\b|\bnew instructions?\s*:|\bhidden instructions?\b"
    r"|\byou are (?:now )?(?:an? |the )?(?:ai\b|assistant|language model|chatbot|chatgpt|claude|dan\b)"
    r"|\b(?:as|if you are|attention|note to|dear|hey) (?:an? |any |the |all )?(?:ai|llm|language model|assistant|chatbot)s?\b"
    r"|\b(?:ai|llm|language models?|assistants?|summari[sz]ers?) (?:must|should|shall|are (?:instructed|required))\b"
    r"|\b(?:respond|reply|answer|output) (?:only|exactly|with the following)\b"
    r"|\bdo not (?:mention|reveal|tell the (?:user|reader|editor)|disclose) (?:this|these|that|the (?:instructions?|prompt))"
    r"|\b(?:reveal|print|repeat|send|exfiltrate) (?:your|the) (?:system|prompt|instructions|api key|secrets?|password)"
    r"|<\|?\s*(?:im_start|im_end|system|endoftext)\s*\|?>|\[/?INST\]",
    re.IGNORECASE,
)


def remove_invisible(text: str) -> str:
    """Strip characters that nobody sees and that models read."""
    return _CONTROL.sub(" ", _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def tidy(text: str) -> str:
    """NFC, invisible characters removed, spaces single, no empty lines."""
    lines = (_SPACES.sub(" ", line).strip() for line in remove_invisible(unicodedata.normalize("NFC", text)).split("\n"))
    return "\n".join(line for line in lines if line)


def without_trimmings(text: str, titles: list[str]) -> str:
    """Drop a headline from the start and promotion lines from anywhere."""
    lines = text.split("\n")
    headlines = {_plain(title) for title in titles if title}
    while len(lines) > 1 and _plain(lines[0]) in headlines:
        lines = lines[1:]
    return "\n".join(line for line in lines if not (len(line) <= 120 and _PROMO.match(line)))


def instruction_like(text: str, most: int = 10) -> list[str]:
    """Find sentences that talk to a machine rather than to a reader; a person judges them."""
    found = (sentence.strip() for sentence in _SENTENCE_END.split(text[:1_000_000]) if _INSTRUCTIONS.search(sentence))
    return [sentence[:300] for sentence, _ in zip(found, range(most), strict=False)]


def _plain(line: str) -> str:
    return " ".join(_LETTERS.findall(line.casefold()))
