"""One module per study: its files in, stimuli and recordings out."""
