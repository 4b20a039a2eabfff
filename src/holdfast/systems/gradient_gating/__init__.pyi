from .estimator import NodeClassifier as NodeClassifier
from .estimator import NodeRegressor as NodeRegressor
from .method import G2GNN as G2GNN
from .method import GradientGating as GradientGating
from .method import gate_rates as gate_rates
from .method import rates_and_energies as rates_and_energies
