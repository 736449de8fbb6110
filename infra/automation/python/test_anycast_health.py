#!/usr/bin/env python3
"""Tells whether every seat answers, somebody leads, and every vip is served; fails when not.

Changes nothing. For a schedule: a failed job is an alert that does not depend on the control plane.

Arguments by position, as Azure Automation passes them; an empty one means the default:
  1 MaxDecisionAgeSeconds: An older last decision is a problem; default 60.

Needs the app role Failover.Read for the managed identity of the Automation account, and the Automation variables AnycastSeats
(origins of the function apps, separated by commas) and AnycastAudience (api://...). Outside Automation the environment
gives them: ANYCAST_SEATS, ANYCAST_AUDIENCE, IDENTITY_ENDPOINT, IDENTITY_HEADER. The job ends as Failed unless the
outcome was proved; its last line of output is one JSON object.
"""
import base64
import datetime
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

# ---- the same in every Python runbook: begin ----
ROUNDS_MAX = 5
ROUND_SECONDS = 2
REQUEST_SECONDS = 15
ENDED_WELL = ("proved", "already-so")


class Failed(Exception):
    """Ends the job as Failed; carries a problem document."""

    def __init__(self, code, detail, **more):
        super().__init__(detail)
        self.problem = {"ok": False, "code": code, "detail": detail, **more}


def say(text):
    """Progress: plain lines with UTC time, because Automation keeps the output stream only."""
    print(datetime.datetime.now(datetime.timezone.utc).strftime("%H:%M:%SZ"), text, flush=True)


def argument(position, name, default=None):
    """Text by position; without a default it must be there."""
    value = sys.argv[position] if len(sys.argv) > position else ""
    if value == "" and default is None:
        raise Failed("missing-argument", f"argument {position}, {name}, is required")
    return value if value != "" else default


def whole_number(text, name):
    if not str(text).isdigit() or not 1 <= int(text) <= 3600:
        raise Failed("bad-argument", f"{name} must be 1 to 3600, not {text}")
    return int(text)


def setting(variable, environment):
    """An Automation variable, or its twin in the environment."""
    value = os.environ.get(environment, "")
    if value == "":
        try:
            import automationassets  # exists inside Azure Automation only

            value = automationassets.get_automation_variable(variable)
        except ImportError:
            value = ""
    if value == "":
        raise Failed("setting-missing", f"set the Automation variable {variable} (or {environment})")
    return value


def split_list(text):
    return [one.strip() for one in text.split(",") if one.strip()]


def job_key(given):
    """A job that is interrupted starts again from its first line: the same key finds the operation it had started."""
    return given or os.environ.get("AUTOMATION_JOB_ID") or f"runbook-{uuid.uuid4()}"


def get_token(role):
    """A token of the managed identity for the function app's audience; says early when the role is missing."""
    audience = setting("AnycastAudience", "ANYCAST_AUDIENCE")
    endpoint = os.environ.get("IDENTITY_ENDPOINT", "")
    if endpoint == "":
        raise Failed("no-identity", "IDENTITY_ENDPOINT is not set: give the Automation account a managed identity")
    url = f"{endpoint}?resource={urllib.parse.quote(audience, safe='')}"
    headers = {"X-IDENTITY-HEADER": os.environ.get("IDENTITY_HEADER", ""), "Metadata": "True"}
    status, answer = send("GET", url, headers, None)
    if status != 200 or "access_token" not in answer:
        raise Failed("no-token", f"the identity endpoint answered {status}: {json.dumps(answer)[:300]}")
    part = answer["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    roles = claims.get("roles", [])
    if role not in roles and "Failover.Operate" not in roles:
        raise Failed("role-missing", f"the managed identity lacks the app role {role} of {audience}", roles=roles)
    return answer["access_token"]


def send(method, url, headers, body):
    """(status, JSON) of one request; raises OSError when nothing answered."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as response:
            return response.status, parsed(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, parsed(error.read())


def parsed(content):
    try:
        value = json.loads(content)
        return value if isinstance(value, dict) else {"value": value}
    except ValueError:
        return {"detail": content[:300].decode("utf-8", "replace")}


def seats():
    return [seat.rstrip("/") for seat in split_list(setting("AnycastSeats", "ANYCAST_SEATS"))]


def call(token, method, path, body=None, key=None, first=None):
    """Asks each seat in turn, the leader when a seat names it. Trying again is safe: the key makes it one request."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if key is not None:
        headers["Idempotency-Key"] = key
    trouble = []
    for attempt in range(ROUNDS_MAX):
        if attempt > 0:
            time.sleep(ROUND_SECONDS)
        waiting = ([first] if first else []) + [seat for seat in seats() if seat != first]
        trouble = []
        asked = set()
        while waiting:
            seat = waiting.pop(0)
            if seat in asked:
                continue
            asked.add(seat)
            try:
                status, answer = send(method, f"{seat}/api{path}", headers, body)
            except OSError as error:
                trouble.append(f"{seat}: {error}")
                continue
            if status == 409 and answer.get("code") == "not-leader":
                trouble.append(f"{seat}: does not lead")
                waiting.insert(0, str(answer.get("leader") or "").rstrip("/") or seat)
                continue
            if status in (502, 503, 504) or (status == 404 and answer.get("code") == "unknown-operation"):
                trouble.append(f"{seat}: HTTP {status} {answer.get('detail', '')}")
                continue
            return status, answer, seat
        say("no seat answered: " + "; ".join(trouble))
    raise Failed("no-seat", "; ".join(trouble))


def refuse(status, answer):
    why = [f"{one.get('path', '')}: {one.get('message', '')}" for one in answer.get("errors", [])]
    text = answer.get("detail") or answer.get("title") or f"HTTP {status}"
    raise Failed(str(answer.get("code", status)), "; ".join([text, *why]), next=answer.get("next"))


def run(role, request, dry_run, timeout_seconds, key):
    """Sends the request, follows the operation with a line per change, and returns how it ended."""
    token = get_token(role)
    body = {name: value for name, value in request["body"].items() if value != "" and value != []}
    status, answer, seat = call(token, request["method"], request["path"], body, key)
    if status == 200 and dry_run:
        for line in answer.get("explanation", []):
            say(line)
        for one in answer.get("blocked", []):
            say(f"blocked: {one['vip']}: {one['guard']}: {one['detail']}")
        if not (answer.get("allowed") or answer.get("alreadySo")):
            raise Failed("refused", "the dry run says that it would be refused", plan=answer)
        return {"ok": True, "dryRun": True, "plan": answer}
    if status != 202:
        refuse(status, answer)
    return watch(token, answer, seat, timeout_seconds)


def watch(token, operation, seat, timeout_seconds):
    """The operation when it has ended; it goes on by itself when this gives up."""
    number = operation["id"]
    say(f"{number} accepted by {seat}")
    give_up_at = time.monotonic() + timeout_seconds
    shown = {}
    while True:
        for step in operation.get("steps", []):
            if shown.get(step["name"]) != step["proof"]:
                shown[step["name"]] = step["proof"]
                say(f"{step['proof']}: {step['name']} {step['detail']}")
        state = operation["state"]
        if state in ENDED_WELL:
            return {"ok": True, "state": state, "operation": operation}
        if state != "running":
            why = "; ".join(f"{one['code']}: {one['detail']}" for one in operation.get("problems", []))
            raise Failed(state, why or state, operation=operation)
        if time.monotonic() > give_up_at:
            raise Failed("pending", f"{number} still runs after {timeout_seconds} s; it goes on by itself", id=number)
        time.sleep(1)
        status, answer, seat = call(token, "GET", f"/operations/{number}", first=seat)
        if status != 200:
            refuse(status, answer)
        operation = answer


def end(work):
    """Last output: one JSON object. A failure is said on both streams and ends the job as Failed."""
    try:
        print(json.dumps(work(), separators=(",", ":")), flush=True)
    except Failed as failed:
        text = json.dumps(failed.problem, separators=(",", ":"))
        print(text, flush=True)
        raise SystemExit(text) from None


# ---- the same in every Python runbook: end ----


def look_at_seats():
    """(how many are well, a line per seat that is not)."""
    well, problems = 0, []
    for seat in seats():
        try:
            status, answer = send("GET", f"{seat}/api/health", {"Accept": "application/json"}, None)
        except OSError as error:
            problems.append(f"{seat}: {error}")
            continue
        say(f"{seat}: HTTP {status}, leader {answer.get('leader')}, ledger {answer.get('ledger')}")
        if status == 200:
            well += 1
        else:
            problems.append(f"{seat}: HTTP {status}, ledger {answer.get('ledger')}")
    return well, problems


def judge(status, max_age_seconds):
    problems = []
    if status["leader"] is None:
        problems.append("nobody leads")
    if status["ledger"] != "ok":
        problems.append(f"the ledger is {status['ledger']}")
    if status["automation"] == "untrusted":
        problems.append("the ledger was rebuilt and waits for a person")
    decided = status["decidedAtMs"]
    if decided is None or status["nowMs"] - decided > max_age_seconds * 1000:
        problems.append(f"the last decision is older than {max_age_seconds} s")
    for vip in status["vips"]:
        verdicts = {region["region"]: region["verdict"] for region in vip["regions"]}
        say(f"{vip['vip']}: acting {vip['acting']}, answered by {vip['servedBy']}, {verdicts}")
        if not any(verdict in ("healthy", "degraded") for verdict in verdicts.values()):
            problems.append(f"{vip['vip']}: no region is healthy")
        elif verdicts.get(vip["acting"]) in ("unhealthy", "lost"):
            problems.append(f"{vip['vip']}: the acting region {vip['acting']} is {verdicts[vip['acting']]}")
    return problems


def work():
    max_age_seconds = whole_number(argument(1, "MaxDecisionAgeSeconds", "60"), "MaxDecisionAgeSeconds")
    well, problems = look_at_seats()
    token = get_token("Failover.Read")
    code, status, _ = call(token, "GET", "/status")
    if code != 200:
        refuse(code, status)
    problems += judge(status, max_age_seconds)
    alerts = status["alerts"]
    for alert in alerts:
        say(f"alert: {alert['vip'] or 'all'}: {alert['reason']}: {alert['detail']}")
    if problems:
        raise Failed("not-well", "; ".join(problems), problems=problems, alerts=alerts)
    return {"ok": True, "seats": well, "vips": len(status["vips"]), "alerts": alerts}


if __name__ == "__main__":
    end(work)
