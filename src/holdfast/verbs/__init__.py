"""What the command lines of systems share: a system's `cli.py` is made of these parts.

- `Verbs` makes functions verbs, and says errors in terms of options.
- `Parameters` makes options from the estimator or settings that they set: default and help are written once, there.
- `Quiet`, `Json`, `Resume`, `table_out`, `array_out`, `figure_out`, `model_out` are options that many verbs have.
- `Reading` and `column_roles` are the options of all verbs that read tables.
- `progress` and `progresses` show how far work is; `training_state`, `resumable` and `on_stop` what Ctrl-C leaves.
- `write_table`, `write_array` and `write_figure(s)` write files whole or not at all; `CsvText` makes csv in pieces.
- `show`, `show_table`, `show_json` and `show_evaluation` print results to stdout, `say` lines for the user to stderr;
  `confirmed` asks.

Importing it imports typer and no numerical library.
"""

from holdfast.verbs.app import Verbs as Verbs
from holdfast.verbs.arrays import write_array as write_array
from holdfast.verbs.bars import progress as progress
from holdfast.verbs.bars import progresses as progresses
from holdfast.verbs.csvtext import CsvText as CsvText
from holdfast.verbs.evaluations import show_evaluation as show_evaluation
from holdfast.verbs.figures import write_figure as write_figure
from holdfast.verbs.figures import write_figures as write_figures
from holdfast.verbs.parameters import Parameters as Parameters
from holdfast.verbs.reading import Reading as Reading
from holdfast.verbs.reading import column_roles as column_roles
from holdfast.verbs.resuming import on_stop as on_stop
from holdfast.verbs.resuming import resumable as resumable
from holdfast.verbs.resuming import training_state as training_state
from holdfast.verbs.saying import confirmed as confirmed
from holdfast.verbs.saying import counted as counted
from holdfast.verbs.saying import say as say
from holdfast.verbs.showing import fits as fits
from holdfast.verbs.showing import show as show
from holdfast.verbs.showing import show_json as show_json
from holdfast.verbs.showing import show_table as show_table
from holdfast.verbs.tables import write_table as write_table
from holdfast.verbs.usual_options import Json as Json
from holdfast.verbs.usual_options import Quiet as Quiet
from holdfast.verbs.usual_options import Resume as Resume
from holdfast.verbs.usual_options import array_out as array_out
from holdfast.verbs.usual_options import figure_out as figure_out
from holdfast.verbs.usual_options import model_out as model_out
from holdfast.verbs.usual_options import table_out as table_out
