namespace CmekTools.Engine.Aws;

/// <summary>The role that an access is written for.</summary>
/// <param name="Arn">Its ARN.</param>
/// <param name="Id">Its unique id, where it could be seen.</param>
/// <param name="MayBeNew">True where KMS may not know it yet.</param>
/// <param name="Planned">True where it was not made: <c>-WhatIf</c>, or the user said no.</param>
internal sealed record ClusterRole(string Arn, string? Id, bool MayBeNew, bool Planned);
