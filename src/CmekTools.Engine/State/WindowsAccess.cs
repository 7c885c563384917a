using System.Runtime.Versioning;
using System.Security.AccessControl;
using System.Security.Principal;

namespace CmekTools.Engine.State;

/// <summary>What a mode of 0700 is on Windows.</summary>
[SupportedOSPlatform("windows")]
internal static class WindowsAccess
{
    /// <summary>
    /// Makes a folder that only this user, and the machine's own administration, may enter; what is made in it later inherits that.
    /// </summary>
    public static void CreateOwnersFolder(string folder)
    {
        DirectorySecurity access = new();
        access.SetAccessRuleProtection(isProtected: true, preserveInheritance: false);
        using WindowsIdentity me = WindowsIdentity.GetCurrent();
        SecurityIdentifier[] allowed =
        [
            me.User!,
            new SecurityIdentifier(WellKnownSidType.LocalSystemSid, null),
            new SecurityIdentifier(WellKnownSidType.BuiltinAdministratorsSid, null),
        ];
        foreach (SecurityIdentifier who in allowed)
        {
            access.AddAccessRule(new FileSystemAccessRule(
                who,
                FileSystemRights.FullControl,
                InheritanceFlags.ContainerInherit | InheritanceFlags.ObjectInherit,
                PropagationFlags.None,
                AccessControlType.Allow));
        }

        new DirectoryInfo(folder).Create(access);
    }
}
