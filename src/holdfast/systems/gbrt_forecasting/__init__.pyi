from .metrics import mae as mae
from .metrics import mase as mase
from .metrics import pinball as pinball
from .metrics import rmse as rmse
from .metrics import smape as smape
from .metrics import wape as wape
from .windows import Windows as Windows
from .windows import window_rows as window_rows
