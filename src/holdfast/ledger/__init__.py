"""Frozen plans and the ledger: what was going to be decided how, and what came out.

A plan is written before the final replicates run and committed; a ledger is written only against a committed,
unchanged plan from a clean commit. Both carry a digest of their content, verdicts can be recomputed from the records
beside them, and any trial can be run again: a file edited by hand gives itself away. Ledgers hold numbers; sentences
are made when they are read.
"""

from holdfast.ledger.files import headline_of as headline_of
from holdfast.ledger.files import ledger_path as ledger_path
from holdfast.ledger.files import plan_path as plan_path
from holdfast.ledger.files import read_ledger as read_ledger
from holdfast.ledger.files import read_plan as read_plan
from holdfast.ledger.files import trial_seconds as trial_seconds
from holdfast.ledger.files import verdicts_of as verdicts_of
from holdfast.ledger.recording import ready as ready
from holdfast.ledger.recording import write_ledger as write_ledger
from holdfast.ledger.shown import as_results as as_results
from holdfast.ledger.shown import results_from as results_from
from holdfast.ledger.state import State as State
from holdfast.ledger.state import state as state
