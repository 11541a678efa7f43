"""What the world of the generated questions is made of: kinds of things and what joins them.

Plain tables. A relation is asked directly ("Who directed {}?") or buried in a longer question
("the director of {}"); a description singles somebody out ("the singer who won {event}"), which
asked directly is "Which singer won {event}?".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from . import names

_HOLE = re.compile(r"\{([^}]+)\}")
_INVENTIONS = (
    "telescope", "steam engine", "vaccine", "sewing machine", "light bulb", "compass", "battery",
    "telephone", "transistor", "parachute",
)  # fmt: skip
TITLES = ("film", "song", "book")
_BEFORE_A_TITLE = {
    "film": ["the film ", "the film ", "", "the movie "],
    "song": ["the song ", "the song ", ""],
    "book": ["the novel ", "", "the book "],
}
MAKERS: dict[str, Callable[[Random], str]] = {
    "person": names.person, "place": names.place, "title": names.title, "event": names.event,
    "organisation": names.organisation, "thing": names.thing, "year": names.year,
    "word": names.word, "noun": lambda rng: rng.choice(_INVENTIONS),
    "number": lambda rng: str(rng.randint(2, 990)),
}  # fmt: skip

Relation = tuple[str, str, list[str], list[str]]
"""The kind that is asked of, that of the answer, buried forms, and direct forms."""
RELATIONS: list[Relation] = [
    ("film", "person",
     ["the director of {}", "{}'s director", "the director of {}", "the person who directed {}"],
     ["Who directed {}?", "Who is the director of {}?", "Who directed {}?"]),
    ("film", "person", ["the producer of {}"], ["Who produced {}?", "Who was the producer of {}?"]),
    ("film", "person",
     ["the composer of {}", "the composer of the music for {}"],
     ["Who composed the music for {}?", "Who is the composer of {}?"]),
    ("film", "person",
     ["the star of {}", "the lead actor of {}", "the actress who starred in {}"],
     ["Who starred in {}?", "Who played the lead in {}?"]),
    ("song", "person",
     ["the performer of {}", "the singer of {}", "the composer of {}",
      "the artist who recorded {}"],
     ["Who is the performer of {}?", "Who performed {}?", "Who recorded {}?"]),
    ("book", "person",
     ["the author of {}", "the writer of {}", "the writer who wrote {}", "{}'s author"],
     ["Who wrote {}?", "Who is the author of {}?"]),
    ("person", "person",
     ["the father of {}", "{}'s father"],
     ["Who is the father of {}?", "Who was the father of {}?"]),
    ("person", "person",
     ["the mother of {}", "{}'s mother"],
     ["Who is the mother of {}?", "Who was the mother of {}?"]),
    ("person", "person",
     ["the wife of {}", "{}'s wife"],
     ["Who was the wife of {}?", "Who is the wife of {}?"]),
    ("person", "person",
     ["the husband of {}", "{}'s husband"],
     ["Who was the husband of {}?", "Who is the husband of {}?"]),
    ("person", "person",
     ["the teacher of {}", "the coach of {}", "the rival of {}", "{}'s brother",
      "the spouse of {}", "the successor of {}"],
     []),
    ("person", "place",
     ["the city where {} was born", "the town in which {} was born", "the birthplace of {}"],
     ["In which city was {} born?", "Where was {} born?"]),
    ("person", "place",
     ["the country {} comes from", "the country that {} is from", "the home country of {}"],
     ["Which country is {} from?", "What is the home country of {}?"]),
    ("person", "organisation",
     ["the university that {} attended", "the university where {} studied"],
     ["At which university did {} study?", "Which university did {} attend?"]),
    ("person", "organisation",
     ["the team that {} plays for", "the club for which {} plays"],
     ["Which team does {} play for?", "For which club does {} play?"]),
    ("person", "organisation",
     ["the company that {} founded", "the company founded by {}"],
     ["Which company did {} found?"]),
    ("person", "title",
     ["the first novel by {}", "the best-known work of {}", "the debut album of {}"],
     []),
    ("organisation", "person",
     ["the founder of {}", "the person who founded {}"],
     ["Who founded {}?", "Who is the founder of {}?"]),
    ("organisation", "person",
     ["the CEO of {}", "the owner of {}", "the head of {}", "the lead singer of {}",
      "the manager of {}"],
     []),
    ("organisation", "place",
     ["the city where {} is based", "the city in which {} has its headquarters",
      "the country where {} is based"],
     ["In which city is {} based?", "Where is {} based?"]),
    ("organisation", "organisation",
     ["the company that owns {}", "the parent company of {}"],
     ["Which company owns {}?", "What is the parent company of {}?"]),
    ("place", "place", ["the capital of {}"], ["What is the capital of {}?"]),
    ("place", "place",
     ["the largest city in {}", "the biggest city of {}"],
     ["What is the largest city in {}?"]),
    ("place", "person",
     ["the mayor of {}", "the president of {}", "the founder of {}", "the current governor of {}"],
     []),
    ("thing", "person",
     ["the architect of {}", "the architect who designed {}", "the designer of {}"],
     ["Who designed {}?", "Who was the architect of {}?"]),
    ("thing", "person",
     ["the person after whom {} is named", "the person {} is named after"],
     ["After whom is {} named?", "Who is {} named after?"]),
    ("thing", "place",
     ["the country where {} is located", "the city in which {} stands", "the county where {} is",
      "the country in which {} is"],
     ["In which country is {} located?", "Where is {} located?", "In which city is {}?"]),
    ("thing", "organisation",
     ["the company that built {}", "the company that makes {}"],
     ["Which company built {}?"]),
    ("event", "person", ["the winner of {}", "the person who won {}"], ["Who won {}?"]),
    ("event", "place",
     ["the city that hosted {}", "the city where {} was held", "the country that hosted {}"],
     ["Which city hosted {}?", "Where was {} held?"]),
    ("film", "place",
     ["the country where {} was filmed", "the city where {} was filmed"],
     ["In which city was {} filmed?", "Where was {} filmed?"]),
    ("film", "book",
     ["the novel on which {} is based", "the book that {} was based on"],
     ["On which book is {} based?"]),
]  # fmt: skip

# What may be asked of something, at the end of a chain.
FACTS: dict[str, list[str]] = {
    "person": [
        "When was {} born?", "Where was {} born?", "When did {} die?", "Where did {} die?",
        "What nationality is {}?", "Which country is {} from?", "What is the date of birth of {}?",
        "What is the date of death of {}?", "What is the place of birth of {}?",
        "Where was the place of death of {}?", "Where did {} study?", "How old is {}?",
        "In what year was {} born?", "In which year did {} die?", "What award did {} win?",
        "What was the occupation of {}?", "How many children did {} have?", "What is {} known for?",
        "Why did {} die?", "What is the cause of death of {}?", "Where was {} buried?",
        "How old was {} when {event} took place?", "What language did {} speak?",
        "Which awards has {} received?", "Where does {} work?", "Who is the child of {}?",
        "Did {} ever win a gold medal?", "What was the first job of {}?", "How tall is {}?",
        "What was the middle name of {}?", "Was {} ever married?", "What sport does {} play?",
        "What other series did {} create?", "Which other films did {} make?",
    ],
    "place": [
        "What is the population of {}?", "How many people live in {}?", "What is the area of {}?",
        "When was {} founded?", "Who is the mayor of {}?", "Which river flows through {}?",
        "What currency is used in {}?", "What language is spoken in {}?", "In which state is {}?",
        "What is the national animal of {}?", "How high above sea level is {}?", "What is the climate of {}?",
        "Which countries border {}?", "What is {} famous for?", "How far is {} from {place}?",
        "What is the time zone of {}?", "On which continent is {}?", "When did {} become independent?",
        "What are the colours of the flag of {}?", "Does {} have an airport?", "In which county is {} located?",
    ],
    "organisation": [
        "When was {} founded?", "In which city is {} based?", "How many employees does {} have?",
        "Who is the head of {}?", "What does {} make?", "Which league does {} play in?",
        "In which country is {}?", "What is the motto of {}?", "What was the revenue of {} in {year}?",
        "How many members does {} have?", "In what year was {} established?", "Where was {} formed?",
        "What is the share price of {}?", "How many albums has {} released?",
    ],
    "title": [
        "When was {} published?", "When was {} released?", "How many copies of {} were sold?",
        "In what year did {} come out?", "What genre is {}?", "What is {} about?", "How long is {}?",
        "Which prize did {} win?", "What language was {} written in?",
    ],
    "thing": [
        "How tall is {}?", "How old is {}?", "When was {} built?", "When was {} opened?",
        "What is {} made of?", "How long is {}?", "How many visitors does {} have each year?",
        "In which country is {}?", "What did {} cost?", "What is the seat of the county of {}?",
    ],
    "event": [
        "When did {} take place?", "Who won {}?", "How many people attended {}?", "Where was {} held?",
        "In which year was {}?", "How long did {} last?", "What was the result of {}?",
    ],
}  # fmt: skip

# (noun forms, kind, what it did, in the past or present as in "that VERB" and "Which NOUN VERB?")
DESCRIPTIONS: list[tuple[list[str], str, list[str]]] = [
    (["singer", "American singer", "rapper", "musician", "songwriter", "guitarist", "Norwegian singer"], "person",
     ["recorded the song {song}", "released the album {title} in {year}", "wrote {song}", "is known for the hit single {song}", "sang at {event}", "replaced {person} in {organisation}", "was born in {place}"]),
    (["actor", "actress", "British actor", "Indian actress", "comedian"], "person",
     ["starred in {film}", "played {person} in {film}", "appeared in {film} with {person}", "voiced the villain in {film}", "won an award for {film}"]),
    (["player", "footballer", "goalkeeper", "swimmer", "tennis player", "quarterback", "coach", "boxer"], "person",
     ["won {event}", "scored the winning goal in {event}", "played for both {organisation} and {organisation}", "broke the world record in {year}", "lost to {person} in {event}"]),
    (["scientist", "physicist", "doctor", "chemist", "astronomer", "inventor", "mathematician"], "person",
     ["discovered {thing}", "invented the {noun}", "won the Nobel Prize in {year}", "proved the {word} theorem", "worked with {person} at {organisation}"]),
    (["politician", "president", "senator", "king", "queen", "general", "governor", "mayor", "emperor"], "person",
     ["signed {event}", "succeeded {person}", "ruled {place} in {year}", "lost the {year} election to {person}", "commanded the army at {event}", "opened {thing}"]),
    (["writer", "novelist", "poet", "philosopher", "journalist", "comic book writer"], "person",
     ["wrote {book}", "won the Booker Prize in {year}", "translated {book}", "founded the magazine {title}"]),
    (["director", "film director", "filmmaker", "architect", "painter", "designer"], "person",
     ["directed {film}", "designed {thing}", "painted {title}", "made {film} in {year}"]),
    (["company", "German company", "airline", "bank", "publisher", "car maker", "studio", "start-up"], "organisation",
     ["makes the {word} {number}", "was founded by {person}", "bought {organisation} in {year}", "built {thing}", "published {book}", "sponsors {event}", "owns {organisation}"]),
    (["band", "rock band", "orchestra", "girl group", "punk band"], "organisation",
     ["recorded {song}", "was formed in {place} in {year}", "played at {event}", "features {person} on drums"]),
    (["team", "football club", "baseball team", "club"], "organisation",
     ["won {event}", "plays its home games at {thing}", "beat {organisation} in {event}", "drafted {person} in {year}"]),
    (["city", "town", "island", "country", "village", "county", "state", "suburb"], "place",
     ["hosted {event}", "is home to {thing}", "was founded by {person}", "is the birthplace of {person}", "lies between {place} and {place}", "borders {place}"]),
    (["film", "movie", "drama film", "{year} film", "documentary", "comedy"], "title",
     ["stars {person}", "was directed by {person}", "is based on {book}", "won the top prize at {event}", "features the song {song}"]),
    (["book", "novel", "fantasy novel", "play", "magazine"], "title",
     ["was written by {person}", "was published by {organisation} in {year}", "inspired {film}", "tells the story of {person}"]),
    (["river", "mountain", "lake", "bridge", "museum", "stadium", "castle", "airport"], "thing",
     ["is located in {place}", "was named after {person}", "was designed by {person}", "was the site of {event}", "opened in {year} in {place}"]),
    (["battle", "war", "festival", "tournament", "treaty"], "event",
     ["was won by {person}", "was fought near {place}", "took place in {place} in {year}"]),
]  # fmt: skip


def fill(text: str, rng: Random) -> str:
    """Put names in for `{person}`, `{film}` and so on; `{}` is left as it is."""
    while hole := _HOLE.search(text):
        text = text.replace(hole[0], make(hole[1], rng), 1)
    return text


def relation_from(rng: Random, kind: str) -> Relation:
    """One of `RELATIONS` that is asked of this kind of thing."""
    return rng.choice(
        [r for r in RELATIONS if r[0] == kind or (kind == "title" and r[0] in TITLES)]
    )


def make(kind: str, rng: Random) -> str:
    """Something of a kind, named as a question would name it."""
    if kind in _BEFORE_A_TITLE:
        return rng.choice(_BEFORE_A_TITLE[kind]) + names.title(rng)
    return MAKERS[kind](rng)
