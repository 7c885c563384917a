@{
    # Pester runs BeforeAll and It in scopes that the analyzer does not see together: what one sets, the other uses.
    ExcludeRules = @('PSUseDeclaredVarsMoreThanAssignments')
}
