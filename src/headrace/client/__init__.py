"""The room of programs that ask a server from elsewhere: `hr.JobsClient`."""
