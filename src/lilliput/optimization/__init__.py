"""How the weights move: optimisers and schedules."""
