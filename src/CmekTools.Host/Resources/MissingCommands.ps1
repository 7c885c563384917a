# The engine alone has no Microsoft.PowerShell.Utility. These are the few commands of it that scripts use to speak to people,
# cut down to what they are mostly used for; each one is defined only where nothing of that name is there.
param([string[]] $Missing)

$definitions = @{
    'Write-Host' = {
        param(
            [Parameter(Position = 0, ValueFromPipeline, ValueFromRemainingArguments)] [object] $Object,
            [switch] $NoNewline,
            [object] $Separator = ' ',
            [ConsoleColor] $ForegroundColor = $Host.UI.RawUI.ForegroundColor,
            [ConsoleColor] $BackgroundColor = $Host.UI.RawUI.BackgroundColor
        )
        process {
            $text = [string]::Join([string] $Separator, @($Object))
            if (-not $NoNewline) { $text += [Environment]::NewLine }
            if ($PSBoundParameters.ContainsKey('ForegroundColor') -or $PSBoundParameters.ContainsKey('BackgroundColor')) {
                $Host.UI.Write($ForegroundColor, $BackgroundColor, $text)
            }
            else { $Host.UI.Write($text) }
        }
    }
    'Write-Output' = {
        param(
            [Parameter(Position = 0, Mandatory, ValueFromPipeline, ValueFromRemainingArguments)] [AllowNull()] [AllowEmptyCollection()]
            [object] $InputObject,
            [switch] $NoEnumerate
        )
        process { $PSCmdlet.WriteObject($InputObject, -not $NoEnumerate) }
    }
    'Write-Verbose' = {
        [CmdletBinding()]
        param([Parameter(Position = 0, Mandatory, ValueFromPipeline)] [AllowEmptyString()] [string] $Message)
        process { $PSCmdlet.WriteVerbose($Message) }
    }
    'Write-Warning' = {
        [CmdletBinding()]
        param([Parameter(Position = 0, Mandatory, ValueFromPipeline)] [AllowEmptyString()] [string] $Message)
        process { $PSCmdlet.WriteWarning($Message) }
    }
    'Write-Error' = {
        [CmdletBinding(DefaultParameterSetName = 'Message')]
        param(
            [Parameter(Position = 0, Mandatory, ValueFromPipeline, ParameterSetName = 'Message')] [AllowEmptyString()] [string] $Message,
            [Parameter(Mandatory, ParameterSetName = 'Record')] [Management.Automation.ErrorRecord] $ErrorRecord,
            [Parameter(ParameterSetName = 'Message')] [string] $ErrorId = 'WriteError',
            [Parameter(ParameterSetName = 'Message')] [Management.Automation.ErrorCategory] $Category = 'NotSpecified',
            [Parameter(ParameterSetName = 'Message')] [object] $TargetObject,
            [string] $RecommendedAction
        )
        process {
            if (-not $ErrorRecord) {
                $ErrorRecord = [Management.Automation.ErrorRecord]::new(
                    [Management.Automation.RuntimeException]::new($Message), $ErrorId, $Category, $TargetObject)
            }
            if ($RecommendedAction) {
                if (-not $ErrorRecord.ErrorDetails) {
                    $ErrorRecord.ErrorDetails = [Management.Automation.ErrorDetails]::new($ErrorRecord.Exception.Message)
                }
                $ErrorRecord.ErrorDetails.RecommendedAction = $RecommendedAction
            }
            $PSCmdlet.WriteError($ErrorRecord)
        }
    }
}

foreach ($name in $definitions.Keys) {
    if ($name -in $Missing) { [void] $ExecutionContext.InvokeProvider.Item.Set("Function:\global:$name", $definitions[$name]) }
}
