"""Later work: what is written down of jobs, so that it outlives everybody."""
