"""Order: one file per flow names the steps, maps, and nothing else."""
