"""Graphs: what their structure says about their nodes."""
