"""Recognition times: when does the model know, and when does the observer."""
