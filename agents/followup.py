"""What becomes of a report once its rollout is healthy: the issue is closed, with the reason, and once.

An issue is closed by the version that passed its canary after the failure. People win: what they closed stays as it
is, and what they opened again stays open.
"""

from agents.incident import Incident, Promotion
from agents.markdown import code
from agents.pull_request import Forge

MARKER = "<!-- selfheal healed -->"


async def close_healed(url: str, incident: Incident, promotion: Promotion, forge: Forge) -> str:
    """Comment on the incident's issue in the repository `url` and close it; says in a few words what came of it.

    The comment comes first: after a crash between the two, an open issue with our comment is one that is still to be
    closed, unless a person opened it again.
    """
    found = await forge.find_issue(url, incident.key)
    if found is None:
        return "there is no issue of it any more"
    if found.state != "open":
        return "the issue is closed already"
    said = any(MARKER in one.body.splitlines() for one in await forge.comments(url, found.number))
    if said and found.reopened:
        return "a person opened the issue again"
    if not said:
        await forge.create_comment(url, found.number, f"{_why(incident, promotion)}\n\n{MARKER}\n")
    await forge.close_issue(url, found.number)
    return "the issue was closed"


def _why(incident: Incident, promotion: Promotion) -> str:
    where = f"{code(f'{incident.namespace}/{incident.rollout}')} on {code(incident.cluster)}"
    version = f"revision {code(promotion.revision)} ({code(promotion.pod_hash)})" if promotion.revision else ""
    if promotion.pod_hash == incident.canary_hash:
        what = "the same version that had failed passed its canary on a later try, and is the stable one now"
    else:
        what = f"{version or code(promotion.pod_hash)} passed its canary and is the stable version now"
    return f"{where} is healthy: {what}. This issue is closed with that; open it again if the cause is still there."
