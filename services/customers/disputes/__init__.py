"""Appeals against refused entries: opened with evidence, answered, decided by somebody who is no party."""
