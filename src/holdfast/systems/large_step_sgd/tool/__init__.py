"""What measures a network of the user's: outputs of layers, monitors, reports, figures."""
