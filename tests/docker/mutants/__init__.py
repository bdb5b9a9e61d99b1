"""Images that are broken on purpose, and the check that has to notice each of them."""

from __future__ import annotations

from tests.docker.mutants import entry, inside, life, screen, stack
from tests.docker.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *entry.MUTANTS,
    *screen.MUTANTS,
    *inside.MUTANTS,
    *stack.MUTANTS,
    *life.MUTANTS,
)

EVERYDAY: tuple[Mutant, ...] = tuple(mutant for mutant in MUTANTS if mutant.everyday)
