"""What a service keeps about agencies, departments and people, who belong to identity: small copies that follow its events.

A copy may be some milliseconds behind; a person whom it lacks is asked for. The predicate of every data scope stands here, in
its one place (`scopes`).
"""
