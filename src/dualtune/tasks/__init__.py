"""The tasks solve, irsp and ir: a Problem in, Instances out."""
