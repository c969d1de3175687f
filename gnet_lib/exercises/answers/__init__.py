"""The exercises of the book, a file a chapter: what ``gnet_lib.exercises.check`` compares with.

If you are here to learn, close this folder and try first.

Right answers are computed from the library wherever they can be, and so are the mistakes.
Each file begins with the few functions that its exercises share. A new exercise is an entry in
its chapter's ``EXERCISES``; a new chapter is a file, and a line below.
"""

from gnet_lib.exercises.answers import (
    chapter_1,
    chapter_2,
    chapter_3,
    chapter_4,
    chapter_5,
    chapter_5b,
    chapter_5c,
    chapter_6,
    chapter_7,
    chapter_8,
    chapter_8b,
    spot_the_bug,
    what_is_counted,
    your_own_pictures,
)
from gnet_lib.exercises.exercise import Exercise

IN_ORDER = (
    chapter_1,
    chapter_2,
    chapter_3,
    chapter_4,
    chapter_5,
    chapter_5b,
    chapter_5c,
    chapter_6,
    chapter_7,
    chapter_8,
    chapter_8b,
    spot_the_bug,
    what_is_counted,
    your_own_pictures,
)

EXERCISES: dict[str, Exercise] = {
    exercise.number: exercise for chapter in IN_ORDER for exercise in chapter.EXERCISES
}
