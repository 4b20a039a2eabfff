"""The command `holdfast`: its words and options (`app`), and what they do (`commands`)."""

from holdfast.cli.app import main as main
