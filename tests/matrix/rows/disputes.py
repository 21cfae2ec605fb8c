"""Disputes."""

from tests.matrix.model import answer_dispute, decide_dispute, own_alone, see_dispute
from tests.matrix.table import Row

DISPUTE = "/v1/disputes/{dispute_id}"

ROWS = [
    Row(
        "POST /v1/disputes",
        "dispute:open",
        of="attempt",
        rule=own_alone,
        body=lambda cell: {
            "attempt_id": cell.ids["attempt_id"],
            "claim": "我的",
            "evidence": [{"kind": "note", "text": "三月谈过"}],
        },
        spends=True,
    ),
    Row("GET /v1/disputes", "dispute:read"),
    Row(f"GET {DISPUTE}", "dispute:read", of="dispute", rule=see_dispute),
    Row(f"POST {DISPUTE}/answer", "dispute:answer", of="dispute", rule=answer_dispute, body={"answer": "不是"}, spends=True),
    Row(
        f"POST {DISPUTE}/decision",
        "dispute:decide",
        of="dispute",
        rule=decide_dispute,
        body={"decision": "dismissed", "reason": "证据不足"},
        spends=True,
    ),
    Row(f"POST {DISPUTE}/withdrawal", "dispute:open", of="dispute", rule=own_alone, spends=True),
]
