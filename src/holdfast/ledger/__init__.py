"""Frozen plans and the ledger: what was going to be decided how, and what came out."""

from holdfast.ledger.book import State as State
from holdfast.ledger.book import as_results as as_results
from holdfast.ledger.book import headline_of as headline_of
from holdfast.ledger.book import ledger_path as ledger_path
from holdfast.ledger.book import plan_path as plan_path
from holdfast.ledger.book import read_ledger as read_ledger
from holdfast.ledger.book import read_plan as read_plan
from holdfast.ledger.book import ready as ready
from holdfast.ledger.book import results_from as results_from
from holdfast.ledger.book import state as state
from holdfast.ledger.book import trial_seconds as trial_seconds
from holdfast.ledger.book import verdicts_of as verdicts_of
from holdfast.ledger.book import write_ledger as write_ledger
