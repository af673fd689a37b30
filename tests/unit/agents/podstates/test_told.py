"""How the states reach the readers: a model's briefing, the diagnosis and its claims, and a report."""

from agents.briefing import findings_of
from agents.diagnosis import Diagnosis, diagnose
from agents.evidence import Bundle, holds
from agents.policy import RepositoryFile
from agents.report import Story, issue_text
from agents.survey import Survey
from agents.tools import sources_of
from agents.triage import Triage, triage
from tests.pods import Object, bundle_of_pods, ended, event, pod, replica_set, running, waiting


def template(limit: str, image: str = "shop:1") -> Object:
    return {"containers": [{"name": "app", "image": image, "resources": {"limits": {"memory": limit}}}]}


def killed(old: Object, new: Object) -> Bundle:
    sets = [replica_set("stable", old), replica_set("canary", new)]
    return bundle_of_pods(running(ended(137, "OOMKilled")), objects={"replicaset": sets})


async def look(bundle: Bundle) -> tuple[Triage, Diagnosis]:
    findings = await triage(bundle, None, None)
    diagnosis = diagnose(findings)
    assert all(holds(bundle, one) for claim in diagnosis.claims for one in claim.evidence)
    return findings, diagnosis


async def test_without_the_manifests_the_deployed_templates_still_name_the_field() -> None:
    _, diagnosis = await look(killed(template("512Mi"), template("64Mi")))
    assert (diagnosis.category, diagnosis.confidence, diagnosis.location) == ("config", "medium", None)
    assert (
        "containers/app/resources/limits/memory of the pod template was changed from 512Mi to 64Mi" in diagnosis.summary
    )
    assert diagnosis.strategy is None
    assert [one.quote for one in diagnosis.claims[-1].evidence] == ["64Mi", "512Mi"]


async def test_where_only_the_image_changed_the_code_is_suspected_and_nothing_more() -> None:
    _, diagnosis = await look(killed(template("64Mi"), template("64Mi", "shop:2")))
    assert (diagnosis.category, diagnosis.confidence, diagnosis.culprit_commit) == ("code", "low", None)
    assert "only the images differ" in diagnosis.summary


async def test_where_the_image_is_the_same_the_configuration_is_suspected() -> None:
    changed = template("64Mi") | {"terminationGracePeriodSeconds": 5}
    _, diagnosis = await look(killed(template("64Mi"), changed))
    assert (diagnosis.category, diagnosis.confidence, diagnosis.location) == ("config", "low", None)
    assert "the images are the same" in diagnosis.summary


async def test_the_value_of_a_setting_is_not_told() -> None:
    def with_heap(options: str) -> Object:
        (app,) = template("64Mi")["containers"]
        return {"containers": [app | {"env": [{"name": "JAVA_OPTS", "value": options}]}]}

    _, diagnosis = await look(killed(with_heap("-Xmx1g"), with_heap("-Xmx9g")))
    assert "env/JAVA_OPTS/value of the pod template was changed" in diagnosis.summary
    assert "-Xmx" not in diagnosis.summary


async def test_other_states_are_told_beside_the_one_that_decides() -> None:
    refused = {"logs/canary/shop-bad-1/app": "dial tcp 10.0.0.1:80: connect: connection refused\n"}
    noise = {"logs/stable/shop-good-1/app": "dial tcp 10.0.0.9:80: connect: connection refused\n"}
    both = {"logs/canary/shop-bad-1/app": refused["logs/canary/shop-bad-1/app"] + noise["logs/stable/shop-good-1/app"]}
    bundle = bundle_of_pods(running(ended(137, "OOMKilled")), pod("stable"), logs=both | noise)
    _, diagnosis = await look(bundle)
    assert any(note.startswith("also seen: container app cannot use 10.0.0.1:80") for note in diagnosis.notes)
    assert any(
        "seen in the stable version as well: container app cannot use 10.0.0.9" in note for note in diagnosis.notes
    )


async def test_an_unknown_cause_says_what_was_looked_at() -> None:
    _, diagnosis = await look(bundle_of_pods(pod(), logs={"logs/canary/shop-bad-1/app": "all is well\n"}))
    assert diagnosis.category == "unknown"
    assert "looked at 1 log of the canary, 1 pod of the canary, no changes of the source" in diagnosis.summary


async def test_a_model_and_a_reader_of_the_report_are_told_the_states() -> None:
    back_off = waiting("ImagePullBackOff", 'failed to pull "shop:2": shop:2: not found')
    sets = [replica_set("stable", template("64Mi")), replica_set("canary", template("64Mi", "shop:2"))]
    bundle = bundle_of_pods(running(back_off), events=[event("BackOff", "Back-off")], objects={"replicaset": sets})
    findings, diagnosis = await look(bundle)
    seen = Survey(bundle, None, None, None, findings, RepositoryFile(), ())
    values = findings_of(seen, diagnosis, sources_of(bundle, None, None))
    assert values["fields"] == ["/containers/[name=app]/image: shop:1 -> shop:2"]
    assert values["states"][0].startswith(
        "the image shop:2 of container app cannot be pulled: the registry has no such"
    )
    assert "objects/pod/shop-bad-1#/status/containerStatuses/0/state/waiting/message" in values["states"][0]
    text = issue_text(Story(bundle=bundle.manifest, diagnosis=diagnosis))
    assert "cannot be pulled: the registry has no such image" in text
    assert "waiting/message" in text


def answers(milliseconds: int) -> str:
    return "".join(f"INFO GET /orders/{at} 200 {milliseconds + at}ms\n" for at in range(20))


async def test_a_slow_canary_that_got_less_processor_time_is_no_matter_of_its_code() -> None:
    def share(cpu: str) -> Object:
        return {"containers": [{"name": "app", "image": f"shop:{cpu}", "resources": {"limits": {"cpu": cpu}}}]}

    logs = {"logs/canary/shop-bad-1/app": answers(400), "logs/stable/shop-good-1/app": answers(40)}
    for old, new, category in (("2", "250m", "config"), ("250m", "2", "unknown")):
        sets = [replica_set("stable", share(old)), replica_set("canary", share(new))]
        _, diagnosis = await look(bundle_of_pods(pod(), pod("stable"), logs=logs, objects={"replicaset": sets}))
        assert diagnosis.category == category
        assert "takes" in diagnosis.summary


async def test_a_trace_in_the_log_of_a_job_of_the_analysis_is_read_where_the_canary_has_none() -> None:
    trace = 'Traceback (most recent call last):\n  File "/app/smoke.py", line 3, in check\nAssertionError: 0.01\n'
    findings, diagnosis = await look(bundle_of_pods(pod(), logs={"logs/none/x.smoke.1-a/smoke": trace}))
    assert findings.trace is not None
    assert diagnosis.summary.startswith("AssertionError: 0.01")


async def test_a_peer_that_both_report_as_an_error_is_the_cause_where_nothing_else_is_known() -> None:
    for level, category in (("ERROR", "infrastructure"), ("WARN", "unknown")):
        line = f"{level} cannot load rates: dial tcp 10.0.0.9:80: connect: connection refused\n"
        logs = {"logs/canary/shop-bad-1/app": line, "logs/stable/shop-good-1/app": line}
        _, diagnosis = await look(bundle_of_pods(pod(), pod("stable"), logs=logs))
        assert (diagnosis.category, diagnosis.confidence, diagnosis.culprit_commit) == (category, "low", None)
    assert "10.0.0.9" not in diagnosis.summary
