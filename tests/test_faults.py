from imet_utils.faults import list_faults


def test_ten_faults_are_shown_and_the_others_counted():
    faults = [f"line {n}" for n in range(2, 14)]
    shown = list_faults(faults).splitlines()
    assert shown[0] == "12 faults:"
    assert shown[1:-1] == [f"- {fault}" for fault in faults[:10]]
    assert shown[-1] == "and 2 more"
    assert list_faults(faults[:10]).splitlines()[-1] == "- line 11"
