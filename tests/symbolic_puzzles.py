"""Ten constraint puzzles, what a model may write of each, and the right answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Puzzle:
    name: str
    question: str
    reply: str
    answer: str


def formalised(rules: str, question: str, answer: str) -> str:
    return f"=== rules\n{rules}\n=== question\n{question}\n=== answer\n{answer}\n"


def _sudoku() -> str:
    cells = [[f"c{row}{column}" for column in range(4)] for row in range(4)]
    groups = [*cells, *map(list, zip(*cells, strict=True))]
    groups += [
        [cells[r + i][c + k] for i in (0, 1) for k in (0, 1)] for r in (0, 2) for c in (0, 2)
    ]
    names = [name for row in cells for name in row]
    rules = "\n".join(
        [f"(declare-const {name} Int)(assert (<= 1 {name} 4))" for name in names]
        + [f"(assert (distinct {' '.join(group)}))" for group in groups]
    )
    given = {"c00": 1, "c03": 4, "c11": 4, "c20": 2, "c33": 1}
    asked = "\n".join(f"(assert (= {name} {digit}))" for name, digit in given.items())
    shown = "\n".join(" ".join(f"{{{name}}}" for name in row) for row in cells)
    return formalised(rules, asked, shown)


_MAGIC_LINES = ("abc", "def", "ghi", "adg", "beh", "cfi", "aei", "ceg")
_MAGIC = formalised(
    "\n".join(f"(declare-const {c} Int)(assert (<= 1 {c} 9))" for c in "abcdefghi")
    + "(assert (distinct a b c d e f g h i))"
    + "".join(f"(assert (= 15 (+ {' '.join(line)})))" for line in _MAGIC_LINES),
    "(assert (= a 2)) (assert (= c 6)) (check-sat) (get-model)",
    "{a} {b} {c} / {d} {e} {f} / {g} {h} {i}",
)

PUZZLES = [
    Puzzle(
        "sudoku",
        "Solve this 4 by 4 Sudoku, 0 is empty:\n1 0 0 4\n0 4 0 0\n2 0 0 0\n0 0 0 1",
        _sudoku(),
        "1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1",
    ),
    Puzzle(
        "knights",
        "Knights tell the truth, knaves lie. Ann says: Bob is a knave. Bob says: Ann and I are "
        "of the same kind. Who is what?",
        formalised(
            "(declare-const ann Bool)\n(declare-const bob Bool) ; true is a knight",
            "(assert (= ann (not bob)))\n(assert (= bob (= ann bob)))",
            "Ann is a { ann:knight|knave }, Bob is a {bob:knight|knave}.",
        ),
        "Ann is a knight, Bob is a knave.",
    ),
    Puzzle(
        "schedule",
        "Three jobs of 2, 3 and 4 hours share one machine. The last starts when the 2-hour job "
        "is done, the 3-hour job waits for the 4-hour one. When is all done at the earliest?",
        formalised(
            "(declare-const a Int)(declare-const b Int)(declare-const c Int)(declare-const end Int)"
            "(assert (and (>= a 0) (>= b 0) (>= c 0)))"
            "(assert (and (>= end (+ a 2)) (>= end (+ b 3)) (>= end (+ c 4))))",
            "(assert (>= c (+ a 2)))(assert (>= b (+ c 4)))(minimize end)",
            "after {end} hours",
        ),
        "after 9 hours",
    ),
    Puzzle(
        "colouring",
        "Colour A, B, C with red, green, blue; neighbours A-B, B-C, A-C differ. A is red, B "
        "isn't green.",
        formalised(
            "(declare-datatypes ((Colour 0)) (((red) (green) (blue))))\n"
            "(declare-const A Colour)(declare-const B Colour)(declare-const C Colour)",
            "(assert (distinct A B C))(assert (= A red))(assert (not (= B green)))",
            "A: {A}, B: {B}, C: {C}",
        ),
        "A: red, B: blue, C: green",
    ),
    Puzzle(
        "seating",
        "Ida, Jon and Kim sit in a row of three. Ida doesn't sit beside Jon; Kim isn't first, "
        "and Ida is left of Jon. Who sits where?",
        "Here it is:\n```\n"
        + formalised(
            "(declare-const ida Int)(declare-const jon Int)(declare-const kim Int)\n"
            "(assert (and (<= 1 ida 3) (<= 1 jon 3) (<= 1 kim 3) (distinct ida jon kim)))",
            "(assert (not (= 1 (abs (- ida jon)))))(assert (> kim 1))(assert (< ida jon))",
            "Ida {ida}, Jon {jon}, Kim {kim}",
        )
        + "```\nI hope this helps (set-option).",
        "Ida 1, Jon 3, Kim 2",
    ),
    Puzzle(
        "ages",
        "A father is four times as old as his son; in 20 years he is twice as old. How old?",
        formalised(
            "(declare-const father Int)(declare-const son Int)",
            "(assert (= father (* 4 son)))(assert (= (+ father 20) (* 2 (+ son 20))))",
            "father {father}, son {son}",
        ),
        "father 40, son 10",
    ),
    Puzzle(
        "magic square",
        "Complete the magic square of 1 to 9 with 2 in the first corner and 6 in the second.",
        _MAGIC,
        "2 7 6 / 9 5 1 / 4 3 8",
    ),
    Puzzle(
        "coins",
        "What is the smallest number of coins of 1, 3 and 4 that make 6?",
        formalised(
            "(declare-const one Int)(declare-const three Int)(declare-const four Int)"
            "(declare-const coins Int)(assert (and (>= one 0) (>= three 0) (>= four 0)))"
            "(assert (= coins (+ one three four)))",
            "(assert (= 6 (+ one (* 3 three) (* 4 four))))(minimize coins)",
            "{coins}",
        ),
        "2",
    ),
    Puzzle(
        "weights",
        "A melon and an apple weigh 2 kg; the melon is 1.5 kg heavier. What do they weigh?",
        formalised(
            "```smt2\n(declare-const melon Real)(declare-const apple Real)\n```",
            "```smt2\n(assert (= 2 (+ melon apple)))(assert (= melon (+ 1.5 apple)))\n```",
            "melon {melon} kg, apple {apple} kg",
        ),
        "melon 1.75 kg, apple 0.25 kg",
    ),
    Puzzle(
        "einstein",
        "Three houses in a row, left to right: a Dane, a Norwegian and a Swede. The Norwegian "
        "lives first, beside the tea drinker; the Swede drinks milk. Where lives who drinks tea?",
        formalised(
            "(declare-datatypes ((Man 0) (Drink 0)) (((Dane) (Norwegian) (Swede)) "
            "((tea) (milk) (juice))))\n(declare-fun house (Man) Int)"
            "(declare-fun drinks (Man) Drink)"
            "(assert (and (<= 1 (house Dane) 3) (<= 1 (house Norwegian) 3) (<= 1 (house Swede) 3)))"
            "(assert (distinct (house Dane) (house Norwegian) (house Swede)))"
            "(assert (distinct (drinks Dane) (drinks Norwegian) (drinks Swede)))",
            "(declare-const who Man)(declare-const where Int)(assert (= (drinks who) tea))"
            "(assert (= where (house who)))(assert (= (house Norwegian) 1))"
            "(assert (= 1 (abs (- where (house Norwegian)))))"
            "(assert (= (drinks Swede) milk))(assert (not (= who Norwegian)))",
            "the {who} in house {where}",
        ),
        "the Dane in house 2",
    ),
]
