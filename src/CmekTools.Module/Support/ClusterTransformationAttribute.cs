using System.Collections;
using System.Management.Automation;

namespace CmekTools.Module;

/// <summary>
/// Takes whatever names clusters (<see cref="ClusterArgument"/>). What the command takes as something else, because it says more than
/// a cluster, is left.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ClusterTransformationAttribute : ArgumentTransformationAttribute
{
    /// <summary>True where the command takes accesses too.</summary>
    public bool LeaveAccesses { get; set; }

    /// <summary>True where the command takes keys too: whatever has a KeyUri.</summary>
    public bool LeaveKeys { get; set; }

    /// <summary>True where the command takes receipts too.</summary>
    public bool LeaveReceipts { get; set; }

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        List<ClusterArgument> found = [];

        if (Take(inputData, found))
        {
            return found.ToArray();
        }

        // A failed cast, and no other exception, makes the binder try the command's other parameters.
        const string Other = "It is for another parameter of the command: it says more than a cluster.";
        throw new ArgumentTransformationMetadataException(Other, new PSInvalidCastException(Other));
    }

    private bool Take(object? given, List<ClusterArgument> found)
    {
        object? bare = given is PSObject wrapped ? wrapped.BaseObject : given;
        if (bare is IEnumerable several and not (string or IDictionary))
        {
            foreach (object? one in several)
            {
                if (!Take(one, found))
                {
                    return false;
                }
            }

            return true;
        }

        if ((LeaveReceipts && bare is CmekReceipt)
            || (LeaveAccesses && AccessTransformationAttribute.Of(given) is not null)
            || (LeaveKeys && KeyArgument.From(given)?.KeyUri is not null))
        {
            return false;
        }

        found.Add(ClusterArgument.From(given) ?? throw new ArgumentTransformationMetadataException(
            bare is CmekKey or CmekAccess
                ? "It belongs to no cluster: it was looked up by its URI. Give the cluster's name."
                : "It names no cluster. Give a name, an id, or an object with ClusterName, ClusterId, Name or Id."));
        return true;
    }
}
