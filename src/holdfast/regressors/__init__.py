"""Regressors of tables of rows as parts with one interface: scikit-learn's, XGBoost's and LightGBM's trees."""
