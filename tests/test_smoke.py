def test_it_answers(gateway):
    answer = gateway.chat()
    assert answer.status_code == 200 and answer.json()["simulated"] is True
    gateway.fault("azure", "500")
    answer = gateway.chat()
    assert [one["provider"] for one in answer.json()["attempts"]] == ["azure", "together"]
    assert gateway.receipt(answer.json()["decision_id"])["outcome"] == "ok"
