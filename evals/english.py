"""English word forms, as far as wording a question takes them; from lemminflect's tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..errors import MissingDependencyError


def do_form(verb: str, lemma: str, subject: list[str]) -> str:
    """The form of "do" that takes the tense and number of the verb."""
    if subject[0] in ("each", "every"):
        return "does" if verb.endswith("s") else "did"
    if verb == lemma:
        many = " and " in f" {' '.join(subject)} " or subject[-1].lower() in ("they", "all")
        many = many or plural_noun(subject[-1])
        return "do" if many else "did"  # `She read`, `She cut`
    return "does" if verb.endswith("s") and verb not in ("was", "has been") else "did"


@lru_cache(maxsize=20_000)
def tags(word: str) -> set[str]:
    """The parts of speech that a word can be, such as NOUN and VERB."""
    return set(_lemminflect().getAllLemmas(word.lower()))


@lru_cache(maxsize=20_000)
def bare_verb(word: str) -> str:
    """The base form of a verb, "" if the word can't be one."""
    found = _lemminflect().getAllLemmas(word.lower()).get("VERB", ())
    return "have" if word.lower() in ("has", "had") else (found[0] if found else "")


def is_noun(word: str) -> bool:
    """Whether a word can be a noun."""
    return "NOUN" in tags(word)


@lru_cache(maxsize=20_000)
def plural_noun(word: str) -> bool:
    """Whether a word is a noun in the plural."""
    nouns = _lemminflect().getAllLemmas(word.lower()).get("NOUN", ())
    return word.endswith("s") and bool(nouns) and word.lower() not in nouns


@lru_cache(maxsize=20_000)
def plural(word: str) -> str:
    """The plural of a noun; anything else as it is."""
    tagged = _lemminflect().getAllLemmas(word)
    if word in ("fish", "deer", "sheep", "people") or word.endswith("s") or not tagged.get("NOUN"):
        return word
    return (_lemminflect().getInflection(word, "NNS") or (word,))[0]


def _lemminflect() -> Any:
    try:
        import lemminflect
    except ImportError:
        raise MissingDependencyError(
            "reading sentences and Break's steps needs lemminflect; "
            "run pip install 'langgraph-decompose[eval]'."
        ) from None
    return lemminflect
