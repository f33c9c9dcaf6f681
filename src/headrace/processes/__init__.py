"""Birth and death of replica processes."""
