"""The station's computer: processes, memory for secrets, USB access, logs and transcripts."""
