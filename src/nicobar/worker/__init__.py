"""Works jobs off: it decodes a job, calls one flow, and says whether the job is done."""
