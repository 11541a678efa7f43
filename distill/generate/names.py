"""Names that nobody has heard of: a model can only copy them, not remember them."""

from __future__ import annotations

from random import Random

FIRST = """Ada Aiko Alejandra Amara Amir Anouk Arjun Astrid Ayodele Beatriz Bilal Bo Brigitte Callum
Carmen Cheng Chidi Clara Dalia Darius Deepa Dmitri Edith Eero Elif Emeka Enzo Esme Farah Felipe
Fergus Freya Gareth Gita Greta Hamza Hana Hector Ingrid Imani Isaac Ishaan Ivana Jada Jakob Jamal
Jasper Javier Jin Jonas Juliet Kaya Kenji Kofi Lars Layla Leila Liam Linh Lorenzo Lucia Magnus
Maja Malik Marisol Mateo Meera Mei Milo Mina Mira Musa Nadia Naomi Nikolai Nils Nora Odette Olu
Oskar Otto Paloma Pavel Petra Pia Quentin Rafael Rania Rashid Ravi Rhea Ruth Saki Samir Santiago
Selma Sienna Silas Simone Soren Stella Suki Tamar Tariq Thandi Theo Tomas Ursula Valeria Vera
Viktor Wanda Wei Willa Xander Yara Yusra Yuki Zainab Zara Zeke Zola Mary John James Linda Robert
Susan Peter Tom Jane Bob Alice Mark Julie Sarah Mike Anna Tim Lisa Jack Emily Sam Kate""".split()
LAST = """Abara Achebe Alvarez Andersson Baptiste Barros Becker Bergman Blackwood Boateng Brandt Caruso
Castellan Chowdhury Cruz Dalgaard Darrow Delacourt Demir Drummond Eklund Eriksen Farrow Ferreira
Fontaine Gallagher Garrido Grimm Gupta Haddad Halloran Harker Hashimoto Holm Ibarra Ivanov Jansen
Jimenez Kaplan Kapoor Keller Kimura Kowalski Lambert Lindqvist Lombardi Lund Macready Marchetti
Mbeki Mendes Moreau Nakagawa Ndiaye Nowak Obi Okafor Olsen Oyelaran Pacheco Pemberton Petrov Quist
Rahman Ramos Reyes Rosenthal Rossi Sandoval Sato Schreiber Sharma Silva Sorensen Takeda Tanaka
Thorne Tran Underhill Vance Vargas Velasquez Vogel Whitlock Winslow Yamada Yilmaz Zhao Zielinski""".split()
_ONSET = (
    "b b br c c ch cl d d dr f f fr g gr h h j k k l l l m m m n n p pr r r s s sh st t t th tr v v "
    "w y z".split()
)
_VOWEL = "a a a e e e i i i o o o u u ae ai ea ia ie io oo ou".split()
_CODA = "       ck d l ll m n n n nd ng nt r r rd rn s s ss st t th x".split(" ")
# What the syllables may spell that a sentence or a sum is read by.
_WORDS = frozenset(
    """be but can cent did do foot for get go got had has he her his let me no nor not pair per pint
    put she six so ten than that the then third to ton was we well will with""".split()
)
_PLACE_END = (
    "a ville ford ton bury burg stad holm ia ora ino ham by wick mouth field dale os".split()
)
_ADJECTIVE = """Amber Ancient Blue Bitter Broken Burning Copper Crimson Distant Empty Endless Fallen
First Forgotten Frozen Gentle Gilded Golden Green Hidden Hollow Iron Last Little Long Lost Midnight
Paper Quiet Red Restless Sacred Scarlet Second Secret Seventh Silent Silver Sleeping Stolen Sweet
Thirteenth Velvet White Wild Winter Wooden""".split()
_NOUN = """Bells Bridge Castle Children Circus Clock Colony Daughter Dancer Door Dream Echo Empire
Fever Fire Garden Ghost Harbour Heart Heiress Highway Horizon House Island Journey Key King Ladder
Lantern Letters Lighthouse Machine Mask Mirror Moon Mountain Night Ocean Orchard Oath Palace Parade
Queen Rain River Road Saint Season Shadow Silence Snow Soldier Song Spring Star Station Storm
Stranger Summer Thief Tide Tower Train Valley Violin Voyage War Wedding Whisper Window Wolf""".split()
_COMPANY_END = (
    "Systems Foods Motors Airlines Studios Records Energy Bank Media Pharma Labs Group".split()
)
EVENTS = """Championship|World Cup|Film Festival|Open|Grand Prix|Peace Conference|Winter Games|Book
Prize|Marathon|Expo|Song Contest|Cup Final|Chess Olympiad|Jazz Festival""".replace("\n", " ").split(
    "|"
)
REAL = """France Japan Brazil Kenya Norway Canada India Egypt Spain Mexico Italy Germany Peru Vietnam
Morocco Chile Poland Finland Ghana Nepal Australia China Turkey Greece Ireland London Paris Tokyo
Berlin Cairo Lima Oslo Madrid Toronto Sydney Mumbai Nairobi Vienna Dublin Chicago Boston Texas Ohio
Shakespeare Mozart Einstein Darwin Napoleon Cleopatra Picasso Gandhi Tesla Beethoven Edison Newton
Python Linux Wikipedia Google Toyota Nokia Jupiter Mars Titanic Everest Nile Amazon Danube""".split()


def word(rng: Random) -> str:
    """A capitalised word of one to three random syllables; one that means something is doubled."""
    syllables = (
        rng.choice(_ONSET) + rng.choice(_VOWEL) + rng.choice(_CODA)
        for _ in range(rng.choice((1, 2, 2, 2, 2, 3)))
    )
    made_up = "".join(syllables)
    return (made_up * 2 if made_up in _WORDS else made_up).capitalize()


def first_name(rng: Random) -> str:
    """A given name, mostly a real one."""
    return rng.choice(FIRST) if rng.random() < 0.8 else word(rng)


def person(rng: Random) -> str:
    """A person's full name, sometimes with an initial, a title or a number."""
    last = rng.choice(LAST) if rng.random() < 0.5 else word(rng)
    name = f"{first_name(rng)} {last}"
    shape = rng.random()
    if shape < 0.06:
        return f"{first_name(rng)} {rng.choice('ABCDEFGHJKLMNPRSTW')}. {last}"
    if shape < 0.12:
        return f"{name} {rng.choice(('II', 'III', 'Jr.', 'of ' + place(rng), '(' + rng.choice(('Actor', 'Singer', 'Politician')) + ')'))}"
    if shape < 0.18:
        return f"{rng.choice(('Sir', 'Princess', 'Prince', 'Dr.', 'Saint', 'King', 'Queen', 'Count'))} {name}"
    return f"{first_name(rng)} {name}" if shape < 0.3 else name


def place(rng: Random) -> str:
    """A town, region or country."""
    if rng.random() < 0.25:
        return rng.choice(REAL[:37])
    stem = word(rng)
    if rng.random() < 0.5:
        stem += rng.choice(_PLACE_END)
    shape = rng.random()
    if shape < 0.1:
        return (
            f"{rng.choice(('New', 'Port', 'San', 'Saint', 'Upper', 'North', 'Lake', 'El'))} {stem}"
        )
    return f"{stem}, {word(rng)}" if shape < 0.16 else stem


def title(rng: Random) -> str:
    """A film, book, song or the like."""
    a, b, c = rng.choice(_ADJECTIVE), rng.choice(_NOUN), rng.choice(_NOUN)
    shapes = (
        f"The {a} {b}", f"The {a} {b}", f"{a} {b}", f"{b} of {place(rng)}", f"The {b} and the {c}",
        f"{word(rng)}", f"{word(rng)} {word(rng)}", f"{b} in {place(rng)}", f"A {a} {b}",
        f"{first_name(rng)}'s {b}", f"The {b} of {word(rng)}", f"{b} {rng.randint(2, 9)}",
    )  # fmt: skip
    name = rng.choice(shapes)
    if rng.random() < 0.15:
        name += f" ({rng.choice(('film', 'Film', f'{year(rng)} film', f'{year(rng)} Film', 'novel', 'song', word(rng) + ' Song'))})"
    return f'"{name}"' if rng.random() < 0.15 else name


def organisation(rng: Random) -> str:
    """A company, club, band or school."""
    shapes = (
        f"{word(rng)} {rng.choice(_COMPANY_END)}", f"{rng.choice(LAST)} & {rng.choice(LAST)}",
        word(rng), f"the {rng.choice(_ADJECTIVE)} {rng.choice(_NOUN)}s", f"{word(rng)} United",
        f"the University of {place(rng)}", f"{place(rng)} {rng.choice(_COMPANY_END)}",
        f"{rng.choice(_ADJECTIVE)} {rng.choice(_NOUN)}",
    )  # fmt: skip
    return rng.choice(shapes)


def thing(rng: Random) -> str:
    """A building, river, ship, product or other thing with a name."""
    kind = rng.choice(
        "Bridge Tower River Museum Stadium Castle Mountain Island Lake Canal Cathedral Theatre "
        "Dam Airport Park Library Desert Palace Tunnel Observatory".split()
    )
    shapes = (
        f"the {word(rng)} {kind}",
        f"{kind} {word(rng)}"
        if kind in ("Mountain", "Lake", "Castle")
        else f"the {place(rng)} {kind}",
        f"the {rng.choice(_ADJECTIVE)} {kind}",
        f"the {word(rng)} {rng.randint(2, 900)}",
    )
    return rng.choice(shapes)


def year(rng: Random) -> str:
    """A year."""
    return str(
        rng.choice((rng.randint(1850, 2024), rng.randint(1950, 2024), rng.randint(900, 2024)))
    )


def event(rng: Random) -> str:
    """A happening with a date, as in `the 1998 Chess Olympiad`."""
    shapes = (
        f"the {year(rng)} {rng.choice(EVENTS)}", f"the {rng.choice(EVENTS)} in {place(rng)}",
        f"the Battle of {place(rng)}", f"the {word(rng)} Revolution", f"the Treaty of {place(rng)}",
        f"the {year(rng)} {place(rng)} earthquake", f"the {place(rng)} {rng.choice(EVENTS)}",
    )  # fmt: skip
    return rng.choice(shapes)
