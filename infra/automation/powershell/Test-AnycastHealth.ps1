#Requires -Version 7.2
<#
.SYNOPSIS
    Tells whether every seat answers, somebody leads, and every vip is served; fails when not.
.DESCRIPTION
    Changes nothing. For a schedule: a failed job is an alert that does not depend on the control plane.
    Needs the Automation variables AnycastSeats (origins of the function apps, separated by commas) and AnycastAudience.
.PARAMETER MaxDecisionAgeSeconds
    An older last decision is a problem; default 60.
.EXAMPLE
    ./Test-AnycastHealth.ps1
.OUTPUTS
    Progress lines, then one JSON object.
.NOTES
    Runs on PowerShell 7.4, no modules. The managed identity of the Automation account needs the app role Failover.Read.
.LINK
    docs/troubleshooting.md
#>
[CmdletBinding()]
param(
    [ValidateRange(1, 3600)] [int] $MaxDecisionAgeSeconds = 60
)

# ---- the same in every PowerShell runbook: begin ----
$ErrorActionPreference = 'Stop'
$ConfirmPreference = 'None'
$ProgressPreference = 'SilentlyContinue'
$RoundsMax = 5
$RoundSeconds = 2
$RequestSeconds = 15
$EndedWell = @('proved', 'already-so')
$script:Outcome = $null

function Stop-Run {
    # Ends the job as Failed: the message of the exception is a problem document.
    param([string] $Code, [string] $Detail, [hashtable] $More = @{})
    $problem = [ordered]@{ ok = $false; code = $Code; detail = $Detail }
    foreach ($name in $More.Keys) { $problem[$name] = $More[$name] }
    throw ($problem | ConvertTo-Json -Depth 20 -Compress)
}

function Write-Step {
    # Progress on the output stream, with UTC time. What calls this must not be assigned to a variable.
    param([string] $Text)
    Write-Output ('{0}Z {1}' -f [datetime]::UtcNow.ToString('HH:mm:ss'), $Text)
}

function Get-Setting {
    # An Automation variable, or its twin in the environment.
    param([string] $Variable, [string] $Twin)
    $value = [System.Environment]::GetEnvironmentVariable($Twin)
    if (-not $value) {
        try { $value = Get-AutomationVariable -Name $Variable } catch { $value = '' }
    }
    if (-not $value) { Stop-Run 'setting-missing' "set the Automation variable $Variable (or $Twin)" }
    return $value
}

function Split-List {
    param([string] $Text)
    return @($Text -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ -ne '' })
}

function Get-SeatList {
    return @(Split-List (Get-Setting 'AnycastSeats' 'ANYCAST_SEATS') | ForEach-Object { $_.TrimEnd('/') })
}

function Get-JobKey {
    # A job that is interrupted starts again from its first line: the same key finds the operation it had started.
    param([string] $Given)
    if ($Given) { return $Given }
    if ($PSPrivateMetadata.JobId) { return [string] $PSPrivateMetadata.JobId }
    return "runbook-$([guid]::NewGuid())"
}

function ConvertFrom-Content {
    param($Content)
    $text = $Content
    if ($Content -is [byte[]]) { $text = [System.Text.Encoding]::UTF8.GetString($Content) }
    try { return ($text | ConvertFrom-Json -AsHashtable -Depth 20) } catch { return @{ detail = [string] $text } }
}

function Send-Request {
    # Status and JSON of one request; throws when nothing answered.
    param([string] $Method, [string] $Uri, [hashtable] $Headers, [string] $Json)
    $send = @{ Method = $Method; Uri = $Uri; Headers = $Headers; TimeoutSec = $RequestSeconds; SkipHttpErrorCheck = $true }
    if ($Json) {
        $send.Body = [System.Text.Encoding]::UTF8.GetBytes($Json)
        $send.ContentType = 'application/json'
    }
    $response = Invoke-WebRequest @send
    return @{ Status = [int] $response.StatusCode; Answer = (ConvertFrom-Content $response.Content) }
}

function Get-Token {
    # A token of the managed identity for the function app's audience; says early when the role is missing.
    param([string] $Role)
    $audience = Get-Setting 'AnycastAudience' 'ANYCAST_AUDIENCE'
    if (-not $env:IDENTITY_ENDPOINT) {
        Stop-Run 'no-identity' 'IDENTITY_ENDPOINT is not set: give the Automation account a managed identity'
    }
    $uri = "$($env:IDENTITY_ENDPOINT)?resource=$([uri]::EscapeDataString($audience))"
    $headers = @{ 'X-IDENTITY-HEADER' = [string] $env:IDENTITY_HEADER; 'Metadata' = 'True' }
    $result = Send-Request 'GET' $uri $headers ''
    $token = $result.Answer.access_token
    if ($result.Status -ne 200 -or -not $token) {
        Stop-Run 'no-token' "the identity endpoint answered $($result.Status)"
    }
    $part = $token.Split('.')[1].Replace('-', '+').Replace('_', '/')
    $part = $part.PadRight($part.Length + (4 - $part.Length % 4) % 4, '=')
    $claims = ConvertFrom-Content ([System.Convert]::FromBase64String($part))
    $roles = @($claims.roles)
    if ($roles -notcontains $Role -and $roles -notcontains 'Failover.Operate') {
        Stop-Run 'role-missing' "the managed identity lacks the app role $Role of $audience" @{ roles = $roles }
    }
    return $token
}

function Invoke-ControlPlane {
    # Asks each seat in turn, the leader when a seat names it. Trying again is safe: the key makes it one request.
    param(
        [string] $Token, [string] $Method, [string] $Path,
        [string] $Json = '', [string] $JobKey = '', [string] $First = ''
    )
    $headers = @{ Authorization = "Bearer $Token"; Accept = 'application/json' }
    if ($JobKey) { $headers['Idempotency-Key'] = $JobKey }
    $trouble = @()
    for ($attempt = 0; $attempt -lt $RoundsMax; $attempt++) {
        if ($attempt -gt 0) { Start-Sleep -Seconds $RoundSeconds }
        $waiting = [System.Collections.Generic.List[string]]::new()
        if ($First) { $waiting.Add($First) }
        foreach ($seat in Get-SeatList) { if ($seat -ne $First) { $waiting.Add($seat) } }
        $trouble = @()
        $asked = @()
        while ($waiting.Count -gt 0) {
            $seat = $waiting[0]
            $waiting.RemoveAt(0)
            if ($asked -contains $seat) { continue }
            $asked += $seat
            try {
                $result = Send-Request $Method "$seat/api$Path" $headers $Json
            }
            catch {
                $trouble += "${seat}: $($_.Exception.Message)"
                continue
            }
            if ($result.Status -eq 409 -and $result.Answer.code -eq 'not-leader') {
                $trouble += "${seat}: does not lead"
                $leader = ([string] $result.Answer.leader).TrimEnd('/')
                if ($leader) { $waiting.Insert(0, $leader) }
                continue
            }
            $isElsewhere = $result.Status -eq 404 -and $result.Answer.code -eq 'unknown-operation'
            if (@(502, 503, 504) -contains $result.Status -or $isElsewhere) {
                $trouble += "${seat}: HTTP $($result.Status) $($result.Answer.detail)"
                continue
            }
            return @{ Status = $result.Status; Answer = $result.Answer; Seat = $seat }
        }
    }
    Stop-Run 'no-seat' ($trouble -join '; ')
}

function Stop-Refused {
    param([int] $Status, $Answer)
    $why = @($Answer.errors | Where-Object { $_ } | ForEach-Object { "$($_.path): $($_.message)" })
    $text = "HTTP $Status"
    if ($Answer.title) { $text = $Answer.title }
    if ($Answer.detail) { $text = $Answer.detail }
    $code = [string] $Status
    if ($Answer.code) { $code = [string] $Answer.code }
    Stop-Run $code ((@($text) + $why) -join '; ') @{ next = $Answer.next }
}

function Invoke-Run {
    # Sends the request and follows the operation with a line per change. Leaves how it ended in $script:Outcome.
    param([string] $Role, [hashtable] $Request, [bool] $IsDryRun, [int] $Patience, [string] $JobKey)
    $token = Get-Token $Role
    $body = @{}
    foreach ($name in $Request.Body.Keys) {
        $value = $Request.Body[$name]
        if ($value -is [array] -and $value.Count -eq 0) { continue }
        if ($value -is [string] -and $value -eq '') { continue }
        $body[$name] = $value
    }
    $json = $body | ConvertTo-Json -Depth 5 -Compress
    $result = Invoke-ControlPlane $token $Request.Method $Request.Path $json $JobKey
    if ($result.Status -eq 200 -and $IsDryRun) {
        foreach ($line in $result.Answer.explanation) { Write-Step $line }
        foreach ($one in $result.Answer.blocked) { Write-Step "blocked: $($one.vip): $($one.guard): $($one.detail)" }
        if (-not ($result.Answer.allowed -or $result.Answer.alreadySo)) {
            Stop-Run 'refused' 'the dry run says that it would be refused' @{ plan = $result.Answer }
        }
        $script:Outcome = @{ ok = $true; dryRun = $true; plan = $result.Answer }
        return
    }
    if ($result.Status -ne 202) { Stop-Refused $result.Status $result.Answer }
    Watch-Operation $token $result.Answer $result.Seat $Patience
}

function Watch-Operation {
    # Follows the operation to its end; it goes on by itself when this gives up.
    param([string] $Token, $Operation, [string] $Seat, [int] $Patience)
    $number = $Operation.id
    Write-Step "$number accepted by $Seat"
    $clock = [System.Diagnostics.Stopwatch]::StartNew()
    $shown = @{}
    while ($true) {
        foreach ($step in $Operation.steps) {
            if ($shown[$step.name] -ne $step.proof) {
                $shown[$step.name] = $step.proof
                Write-Step "$($step.proof): $($step.name) $($step.detail)"
            }
        }
        if ($EndedWell -contains $Operation.state) {
            $script:Outcome = @{ ok = $true; state = $Operation.state; operation = $Operation }
            return
        }
        if ($Operation.state -ne 'running') {
            $why = @($Operation.problems | Where-Object { $_ } | ForEach-Object { "$($_.code): $($_.detail)" }) -join '; '
            if (-not $why) { $why = $Operation.state }
            Stop-Run $Operation.state $why @{ operation = $Operation }
        }
        if ($clock.Elapsed.TotalSeconds -gt $Patience) {
            Stop-Run 'pending' "$number still runs after $Patience s; it goes on by itself" @{ id = $number }
        }
        Start-Sleep -Seconds 1
        $result = Invoke-ControlPlane $Token 'GET' "/operations/$number" '' '' $Seat
        if ($result.Status -ne 200) { Stop-Refused $result.Status $result.Answer }
        $Operation = $result.Answer
        $Seat = $result.Seat
    }
}

function Complete-Run {
    # Last output: one JSON object.
    Write-Output ($script:Outcome | ConvertTo-Json -Depth 20 -Compress)
}

function Stop-Failed {
    # Says a failure on the output and in the error log, and ends the job as Failed.
    param($ErrorRecord)
    $text = $ErrorRecord.Exception.Message
    Write-Output $text
    Write-Error -Message $text -ErrorAction Continue
    throw $text
}
# ---- the same in every PowerShell runbook: end ----

function Test-SeatList {
    # A line per seat; leaves those that are not well in $script:Problems.
    foreach ($seat in Get-SeatList) {
        try {
            $result = Send-Request 'GET' "$seat/api/health" @{ Accept = 'application/json' } ''
        }
        catch {
            $script:Problems += "${seat}: $($_.Exception.Message)"
            continue
        }
        $answer = $result.Answer
        Write-Step "${seat}: HTTP $($result.Status), leader $($answer.leader), ledger $($answer.ledger)"
        if ($result.Status -eq 200) { $script:Well += 1 }
        else { $script:Problems += "${seat}: HTTP $($result.Status), ledger $($answer.ledger)" }
    }
}

function Test-Status {
    param($Status, [int] $MaxAgeSeconds)
    if ($null -eq $Status.leader) { $script:Problems += 'nobody leads' }
    if ($Status.ledger -ne 'ok') { $script:Problems += "the ledger is $($Status.ledger)" }
    if ($Status.automation -eq 'untrusted') { $script:Problems += 'the ledger was rebuilt and waits for a person' }
    if ($null -eq $Status.decidedAtMs -or $Status.nowMs - $Status.decidedAtMs -gt $MaxAgeSeconds * 1000) {
        $script:Problems += "the last decision is older than $MaxAgeSeconds s"
    }
    foreach ($vip in $Status.vips) {
        $verdicts = @($vip.regions | ForEach-Object { "$($_.region) $($_.verdict)" }) -join ', '
        Write-Step "$($vip.vip): acting $($vip.acting), answered by $($vip.servedBy), $verdicts"
        $serving = @($vip.regions | Where-Object { @('healthy', 'degraded') -contains $_.verdict })
        $sick = @($vip.regions | Where-Object { $_.region -eq $vip.acting -and @('unhealthy', 'lost') -contains $_.verdict })
        if ($serving.Count -eq 0) { $script:Problems += "$($vip.vip): no region is healthy" }
        elseif ($sick.Count -gt 0) {
            $script:Problems += "$($vip.vip): the acting region $($vip.acting) is $($sick[0].verdict)"
        }
    }
}

try {
    $script:Problems = @()
    $script:Well = 0
    Test-SeatList
    $token = Get-Token 'Failover.Read'
    $result = Invoke-ControlPlane $token 'GET' '/status'
    if ($result.Status -ne 200) { Stop-Refused $result.Status $result.Answer }
    $status = $result.Answer
    Test-Status $status $MaxDecisionAgeSeconds
    foreach ($alert in $status.alerts) { Write-Step "alert: $($alert.vip): $($alert.reason): $($alert.detail)" }
    if ($script:Problems.Count -gt 0) {
        Stop-Run 'not-well' ($script:Problems -join '; ') @{ problems = $script:Problems; alerts = @($status.alerts) }
    }
    $script:Outcome = @{ ok = $true; seats = $script:Well; vips = @($status.vips).Count; alerts = @($status.alerts) }
    Complete-Run
}
catch {
    Stop-Failed $_
}
